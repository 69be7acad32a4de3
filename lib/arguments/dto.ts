import type { ValidationError } from 'class-validator'
import { type ArgumentClass, type DtoClass, readEntry } from './argument-classes'
import { InvalidArgumentsError } from '../errors/errors'
import { isRecord } from '../errors/option-checks'
import { shown } from '../errors/suggestions'
import { Validator, getMetadataStorage } from '../settings/class-validator'

/** A task by its name, and the classes it lists for its arguments. */
export interface Listing {
  readonly name: string
  readonly args: readonly ArgumentClass[]
}

/** The message names at most this many faults of one argument. */
const MAX_FAULTS = 5

/** The arguments with instances of their listed classes as the plain objects that are written. */
export function plainArguments(
  { name, args: classes }: Listing,
  given: readonly unknown[],
): readonly unknown[] {
  return given.map((value, i) => {
    const { Class } = readEntry(classes[i])
    return Class && value instanceof Class
      ? guarded(name, pathOf(i), Class, () => plainOf(value))
      : value
  })
}

/**
 * The arguments as the function receives them: of each listed class a new instance that follows the class's rules.
 *
 * @throws InvalidArgumentsError naming the path, the rule and the kind of value, for the first argument that does not fit.
 */
export async function receivedArguments(
  { name, args: classes }: Listing,
  given: readonly unknown[],
  path: (i: number) => string = pathOf,
): Promise<readonly unknown[]> {
  const received = [...given]
  for (const [i, entry] of classes.entries()) {
    const { Class, optional } = readEntry(entry)
    const isLeftOut = given[i] === undefined || given[i] === null
    if (Class && !(isLeftOut && optional))
      received[i] = await instanceOf(name, path(i), Class, given[i])
  }
  return received
}

/**
 * Judges the written arguments as the worker will, so that what it would refuse is refused at enqueue.
 *
 * @param where which of many calls it is, for the error
 * @throws InvalidArgumentsError
 */
export async function assertReceivable(
  listing: Listing,
  argsKwargs: string,
  where = '',
): Promise<void> {
  if (listing.args.length === 0) return
  const { args, kwargs } = JSON.parse(argsKwargs) as { args: unknown[]; kwargs: object }
  const given = Object.keys(kwargs).length === 0 ? args : [...args, kwargs]
  await receivedArguments(
    listing,
    given,
    (i) => where + (i < args.length || args === given ? pathOf(i) : 'kwargs'),
  )
}

async function instanceOf(
  name: string,
  path: string,
  Class: DtoClass,
  value: unknown,
): Promise<object> {
  if (!isRecord(value))
    throw unfit(name, Class, `${path}: expected an object, got ${kindOf(value)}`)
  const instance = guarded(name, path, Class, () => make(Class, value))
  const faults = hasRules(Class) ? faultsOf(await new Validator().validate(instance), path) : []
  if (faults.length > 0) throw unfit(name, Class, shownFaults(faults))
  return instance
}

/** From a copy: class-transformer takes discriminators away from what it reads. */
function make(Class: DtoClass, value: object): object {
  const plain = JSON.parse(JSON.stringify(plainOf(value, Class))) as object
  const transformer = classTransformer()
  if (transformer) return transformer.plainToInstance(Class, plain)
  const { ['__proto__']: _, ...own } = plain as Record<string, unknown>
  return Object.assign(new Class(), own)
}

function plainOf(value: object, Class?: DtoClass): object {
  if (Class && !(value instanceof Class)) return value
  return classTransformer()?.instanceToPlain(value) ?? { ...value }
}

/** A constructor or a transformation of the class may throw. */
function guarded<Made>(name: string, path: string, Class: DtoClass, work: () => Made): Made {
  try {
    return work()
  } catch (cause) {
    throw new InvalidArgumentsError(
      `Task "${name}", ${path}: no ${Class.name} can be made of it: ${cause instanceof Error ? cause.message : shown(cause)}.`,
      `Pass what ${Class.name} asks for.`,
      { cause },
    )
  }
}

/** A class without rules is there for its instances alone; class-validator would refuse them all. */
function hasRules(Class: DtoClass): boolean {
  return getMetadataStorage().getTargetValidationMetadatas(Class, '', false, false).length > 0
}

function faultsOf(errors: readonly ValidationError[], path: string): string[] {
  return errors.flatMap((error) => {
    const at = under(path, error.property)
    return [...ownFaults(error, at), ...faultsOf(error.children ?? [], at)]
  })
}

function ownFaults({ constraints = {}, value }: ValidationError, path: string): string[] {
  if ('unknownValue' in constraints)
    return [
      `${path}: no class is known for it; class-transformer's @Type(() => …) beside @ValidateNested() says which`,
    ]
  const messages = [...new Set(Object.values(constraints))]
  return messages.length === 0 ? [] : [`${path}: ${messages.join(', ')}, got ${kindOf(value)}`]
}

function shownFaults(faults: readonly string[]): string {
  const more = faults.length - MAX_FAULTS
  return [...faults.slice(0, MAX_FAULTS), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}

function unfit(name: string, Class: DtoClass, what: string): InvalidArgumentsError {
  return new InvalidArgumentsError(`Task "${name}", ${what}.`, `Pass what ${Class.name} asks for.`)
}

/** Not the value itself: arguments may be secrets, and errors are logged. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object'
  return `a ${typeof value}`
}

function pathOf(i: number): string {
  return `args[${i}]`
}

/** `property` is undefined, against its type, where a whole object is at fault. */
function under(path: string, property: string | undefined): string {
  if (property === undefined) return path
  if (/^\d+$/.test(property)) return `${path}[${property}]`
  return /^[A-Za-z_$][\w$]*$/.test(property)
    ? `${path}.${property}`
    : `${path}[${JSON.stringify(property)}]`
}

/** The part of class-transformer that is used here. */
interface ClassTransformer {
  plainToInstance(Class: new () => object, plain: object): object
  instanceToPlain(instance: object): object
}

let found: { readonly module: ClassTransformer | undefined } | undefined

/** The app's class-transformer; undefined where it has none. Loaded when first needed, since most tasks list no classes. */
function classTransformer(): ClassTransformer | undefined {
  found ??= { module: load() }
  return found.module
}

function load(): ClassTransformer | undefined {
  try {
    return require('class-transformer') as ClassTransformer
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** A class-transformer that is installed but fails to load is an error, not an absence. */
function isMissing(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'MODULE_NOT_FOUND' &&
    'message' in error &&
    String(error.message).includes("'class-transformer'")
  )
}
