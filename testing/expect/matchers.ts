/**
 * What an expectation may hold in the place of a value: the matchers of this kit, and those of Jest and Vitest, such as
 * `expect.any(String)`.
 */
export interface Matcher {
  asymmetricMatch(value: unknown): boolean
}

/** As an expectation of a value of this type may be: the value, or matchers in the place of any part of it. */
export type Expected<T> =
  | Matcher
  | (0 extends 1 & T
      ? T
      : T extends readonly unknown[]
        ? { readonly [I in keyof T]: Expected<T[I]> }
        : T extends object
          ? { readonly [K in keyof T]: Expected<T[K]> }
          : T)

/** As an expectation of the arguments of a task may be. */
export type ExpectedArgs<Args extends unknown[]> = {
  readonly [I in keyof Args]: Expected<Args[I]>
}

/** The parts of an object, at any depth, that an expectation names. */
export type Parts<T> = T extends readonly unknown[]
  ? Expected<T>
  : T extends object
    ? { readonly [K in keyof T]?: Matcher | Parts<T[K]> }
    : T

/** Of this kit: has the words by which an error shows it. */
abstract class Own implements Matcher {
  abstract asymmetricMatch(value: unknown): boolean
  abstract toString(): string

  /** Jest and Vitest print it by this. */
  toAsymmetricMatcher(): string {
    return this.toString()
  }
}

class Anything extends Own {
  asymmetricMatch(): boolean {
    return true
  }

  override toString(): string {
    return 'anything'
  }
}

class Matching extends Own {
  readonly #holds: (value: never) => unknown

  constructor(holds: (value: never) => unknown) {
    super()
    this.#holds = holds
  }

  /** A function that throws, as one of a call with other arguments may, or one that uses `expect`, does not hold. */
  asymmetricMatch(value: unknown): boolean {
    try {
      return Boolean(this.#holds(value as never))
    } catch {
      return false
    }
  }

  override toString(): string {
    const { name } = this.#holds
    return name === '' ? 'matching(…)' : `matching(${name})`
  }
}

/** Only the named parts of an object are compared. */
export class PartialMatcher extends Own {
  readonly parts: object
  readonly #holds: (parts: object, value: unknown) => boolean

  constructor(parts: object, holds: (parts: object, value: unknown) => boolean) {
    super()
    this.parts = parts
    this.#holds = holds
  }

  /** For Jest and Vitest; the kit itself compares part by part, to tell which one differs. */
  asymmetricMatch(value: unknown): boolean {
    return this.#holds(this.parts, value)
  }

  override toString(): string {
    return `partial(${Object.keys(this.parts).join(', ')})`
  }
}

/** Matches every value, null included, and an optional argument that was left out. */
export const anything: Matcher = new Anything()

/** Matches the values for which `holds` gives true. */
export function matching<T = unknown>(holds: (value: T) => unknown): Matcher {
  return new Matching(holds)
}

export function isMatcher(value: unknown): value is Matcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    'asymmetricMatch' in value &&
    typeof value.asymmetricMatch === 'function'
  )
}

/** The words for a matcher, of whichever library. */
export function matcherText(matcher: Matcher): string {
  const own: unknown = Reflect.get(matcher, 'toAsymmetricMatcher')
  const text: unknown = typeof own === 'function' ? own.call(matcher) : Reflect.get(matcher, 'name')
  return typeof text === 'string' && text !== '' ? text : 'a matcher'
}
