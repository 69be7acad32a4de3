import type { ValidationError } from 'class-validator'
import { InvalidSettingsError } from '../errors/errors'
import {
  type Rule,
  type Subject,
  assertKnown,
  check,
  isRecord,
  unexpected,
} from '../errors/option-checks'
import { ValidateBy, Validator, getMetadataStorage } from './class-validator'

const AN_OBJECT: Rule = { expected: 'an object', isSound: isRecord, hint: 'Write { … }.' }

/** The key must be as `isSound` says; `expected` says it in words. */
export function Is(expected: string, isSound: (value: unknown) => boolean): PropertyDecorator {
  return ValidateBy({
    name: expected,
    validator: { validate: isSound, defaultMessage: () => expected },
  })
}

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
  const subject = { what: path, Fault: InvalidSettingsError, hint: 'Correct the setting.' }
  check(subject, '', raw, AN_OBJECT)
  assertKnown(subject, raw, [...loose, ...keysOf(Shape)], 'key')
  const value = Object.assign(new Shape(), raw)
  const [first] = new Validator().validateSync(value, {
    skipMissingProperties: false,
    forbidUnknownValues: false,
  })
  if (first) throw settingsError(first, subject)
  return value
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

function settingsError(
  { constraints = {}, property, value }: ValidationError,
  subject: Subject,
): Error {
  const expected = [...new Set(Object.values(constraints))].join(' and ')
  return unexpected({ ...subject, what: `${subject.what}.${property}` }, '', { expected }, value)
}
