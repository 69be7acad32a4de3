import type { Jsonable, KindOf, LacksElements, Plain } from './json'

/** A compile error with words in it: which part of the arguments or of the return value JSON cannot carry, and what it is. */
export interface NotCarriedByJson<Where extends string> {
  readonly 'JSON cannot carry this': Where
}

/** A compile error with words in it: what the function and the options do not agree in. */
export interface NotTheOptions<Reason extends string> {
  readonly 'the function does not fit the options': Reason
}

/** The path and the kind of what JSON cannot carry in `T`, e.g. `args[0].kids[].at is a Date`: of those the least deep. */
export type Refusal<T, Path extends string> = Searched<
  T,
  Path,
  [],
  'what is nested deeper than 7 levels'
>

/** Looks one level deeper each time, so that a recursive type ends where the first one is found. */
type Searched<
  T,
  Path extends string,
  Levels extends 0[],
  Otherwise extends string,
> = Levels['length'] extends 8
  ? `${Path}: ${Otherwise}`
  : Refused<T, Path, Levels> extends infer Found extends string
    ? [Found] extends [never]
      ? Searched<T, Path, [...Levels, 0], Otherwise>
      : Found
    : never

/** Only where JSON cannot carry it, which keeps the search small. */
type Refused<T, Path extends string, Levels extends 0[]> = [T] extends [Jsonable<T>]
  ? never
  : RefusedOne<T, Path, Levels>

/** Each member of a union apart. */
type RefusedOne<T, Path extends string, Levels extends 0[]> = T extends Plain | void
  ? never
  : [KindOf<T>] extends [never]
    ? Levels extends [0, ...infer Fewer extends 0[]]
      ? RefusedInside<T, Path, Fewer>
      : never
    : `${Path} is ${KindOf<T>}`

type RefusedInside<T, Path extends string, Levels extends 0[]> = T extends readonly unknown[]
  ? InTuple<T, Path, Levels> extends infer Found extends string
    ? [Found] extends [never]
      ? LacksElements<T> extends true
        ? `${Path}[] is undefined`
        : Refused<T[number], `${Path}[]`, Levels>
      : Found
    : never
  : { [K in keyof T]-?: Refused<T[K], Member<Path, K>, Levels> }[keyof T]

/** The members that a tuple lists one by one. */
type InTuple<T extends readonly unknown[], Path extends string, Levels extends 0[]> = {
  [K in keyof T & `${number}`]: Refused<T[K], `${Path}[${K}]`, Levels>
}[keyof T & `${number}`]

type Member<Path extends string, Key> = string extends Key
  ? `${Path}[string]`
  : number extends Key
    ? `${Path}[number]`
    : Key extends string
      ? `${Path}.${Key}`
      : Key extends number
        ? `${Path}[${Key}]`
        : `${Path}[symbol]`
