import type { ValidationError } from 'class-validator'
import { InvalidSettingsError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'
import { Validator, getMetadataStorage } from '../tasks/class-validator'

/**
 * The object as an instance of `Shape`, whose class-validator decorators say what each key must be.
 * Their messages are worded to follow "expected".
 *
 * @param loose keys of the shape that its owner judges itself
 * @throws InvalidSettingsError naming the path, what was expected and what was found
 */
export function validateShape<Value extends object>(
  Shape: new () => Value,
  raw: unknown,
  path: string,
  loose: readonly string[] = [],
): Value {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new InvalidSettingsError(
      `${path}: expected an object, got ${shown(raw)}.`,
      'Write { … }.',
    )
  const known = [...loose, ...keysOf(Shape)]
  refuseUnknownKeys(raw, known, path)
  const value = Object.assign(new Shape(), raw)
  const [first] = new Validator().validateSync(value, {
    skipMissingProperties: false,
    forbidUnknownValues: false,
  })
  if (first) throw settingsError(first, path)
  return value
}

/** @throws InvalidSettingsError for a key that is not known, with the nearest one that is. */
function refuseUnknownKeys(raw: object, known: readonly string[], path: string): void {
  for (const key of Object.keys(raw))
    if (!known.includes(key))
      throw new InvalidSettingsError(
        `${path}: unknown key "${key}".`,
        didYouMean(key, known) ?? `Known keys: ${known.join(', ')}.`,
      )
}

function keysOf(Shape: new () => object): string[] {
  return [
    ...new Set(
      getMetadataStorage()
        .getTargetValidationMetadatas(Shape, '', false, false)
        .map((found) => found.propertyName),
    ),
  ]
}

function settingsError(error: ValidationError, path: string): InvalidSettingsError {
  const expected = [...new Set(Object.values(error.constraints ?? {}))].join(' and ')
  return new InvalidSettingsError(
    `${path}.${error.property}: expected ${expected}, got ${shown(error.value)}.`,
    'Correct the setting.',
  )
}
