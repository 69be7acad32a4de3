import type { TasksError } from '../errors/errors'
import type { Rule, Subject } from '../errors/option-checks'
import { shown } from '../errors/suggestions'
import type { Jsonable } from './json'

/** A class whose instances hold one argument: anything that can be made without arguments of its own. */
export type DtoClass<Dto extends object = object> = new () => Dto

/** What an argument must be: an instance of the class; the same, or left out, or null; or, for null, whatever was given. */
export type ArgumentClass<Dto extends object = object> =
  DtoClass<Dto> | { readonly optional: DtoClass<Dto> } | null

/** The classes that may be listed for these parameters: fewer than there are, and each as its parameter says. */
export type ArgumentClasses<Args extends unknown[]> = {
  readonly [K in keyof Args]?: ClassFor<Args[K]>
}

type ClassFor<Parameter> = unknown extends Parameter
  ? ArgumentClass
  : [Parameter] extends [object]
    ? DtoClass<Parameter> | null
    : [NonNullable<Parameter>] extends [object]
      ? { readonly optional: DtoClass<NonNullable<Parameter>> } | null
      : null

/** A compile error with words in it, where the listed classes are not those of the parameters. */
export interface NotTheClasses<Listed> {
  readonly 'the option args does not list the classes of these parameters': Listed
}

/** What is given for the parameters: where a class is listed its data suffices, without its methods. */
export type Given<Args extends unknown[], Classes> = Classes extends readonly []
  ? Args
  : {
      [K in keyof Args]: K extends keyof Classes
        ? Classes[K] extends null | undefined
          ? Args[K]
          : DataOf<Args[K]>
        : Args[K]
    }

/** A type that is JSON already stays as it is, and keeps its name; so does one that never can be, to be refused. */
type DataOf<T> = [T] extends [Jsonable<T>]
  ? T
  : [Jsonable<T>] extends [never]
    ? T
    : T extends readonly (infer Item)[]
      ? DataOf<Item>[]
      : T extends object
        ? { [K in keyof T as T[K] extends Method ? never : K]: DataOf<T[K]> }
        : T

type Method = (...given: never[]) => unknown

/** What the option `args` must be. */
export const ARGUMENT_CLASSES: Rule = {
  expected: 'a list of classes',
  isSound: Array.isArray,
  hint: 'Write [SomeDto].',
  checkInside: (subject, name, classes) => {
    for (const [i, entry] of (classes as unknown[]).entries())
      if (!isArgumentClass(entry)) throw noClass(subject, `${name}[${i}]`, entry)
  },
}

/** The class of an entry, and whether the argument may be left out. */
export function readEntry(entry: ArgumentClass | undefined): {
  Class: DtoClass | undefined
  optional: boolean
} {
  if (typeof entry === 'function') return { Class: entry, optional: false }
  return { Class: entry?.optional, optional: true }
}

function noClass({ what, Fault }: Subject, name: string, given: unknown): TasksError {
  const hint =
    given === undefined
      ? 'Do two files import one another, so that the class was not there yet?'
      : 'List the class itself.'
  // As text a function would be its whole source.
  const found = typeof given === 'function' ? 'a function' : shown(given)
  return new Fault(
    `${what}, ${name}: expected a class, { optional: class } or null, got ${found}.`,
    hint,
  )
}

function isArgumentClass(entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return entry === null || isClass(entry)
  return 'optional' in entry && isClass(entry.optional) && Object.keys(entry).length === 1
}

/** Arrow functions and methods have no prototype. */
function isClass(value: unknown): boolean {
  return typeof value === 'function' && typeof value.prototype === 'object'
}
