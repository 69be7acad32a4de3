import type * as whole from 'class-validator'

type Used = Pick<
  typeof whole,
  | 'IsArray'
  | 'IsInt'
  | 'IsObject'
  | 'IsOptional'
  | 'Max'
  | 'Min'
  | 'ValidateBy'
  | 'Validator'
  | 'getMetadataStorage'
>

/**
 * What this library uses of class-validator. The whole of it is three hundred files, with the telephone numbers of the
 * world, and takes longer to load than all of this library; an app whose own classes have rules loads that itself.
 */
export const {
  IsArray,
  IsInt,
  IsObject,
  IsOptional,
  Max,
  Min,
  ValidateBy,
  Validator,
  getMetadataStorage,
} = used()

/** A later class-validator may keep its files elsewhere, or to itself. */
function used(): Used {
  try {
    return itsParts()
  } catch {
    return require('class-validator') as Used
  }
}

/** Both ways lead to the same rules: these files are those that the package's own entry brings together. */
function itsParts(): Used {
  return Object.assign(
    {},
    require('class-validator/cjs/decorator/typechecker/IsArray.js'),
    require('class-validator/cjs/decorator/typechecker/IsInt.js'),
    require('class-validator/cjs/decorator/typechecker/IsObject.js'),
    require('class-validator/cjs/decorator/common/IsOptional.js'),
    require('class-validator/cjs/decorator/common/ValidateBy.js'),
    require('class-validator/cjs/decorator/number/Max.js'),
    require('class-validator/cjs/decorator/number/Min.js'),
    require('class-validator/cjs/metadata/MetadataStorage.js'),
    require('class-validator/cjs/validation/Validator.js'),
  ) as Used
}
