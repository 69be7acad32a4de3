import { isIdText } from '../../entities/formats'
import { didYouMean, shown, UsageError } from '../../index'

/** A parameter of a route: what is expected, and what the text says; undefined if it is not that. */
export interface Parameter<T> {
  readonly expected: string
  readonly read: (text: string) => T | undefined
}

type Parameters = Readonly<Record<string, Parameter<unknown>>>

/** The values of parameters; of one that is not given undefined. */
export type Given<P extends Parameters> = {
  readonly [Name in keyof P]: P[Name] extends Parameter<infer T> ? T | undefined : never
}

/** In characters. Longer ones are no address that somebody has typed, nor one of the page. */
const LONGEST = 8_000

/**
 * Reads the parameters of a request.
 *
 * @throws UsageError for an unknown one, one given twice, and one that is not what is expected.
 */
export function parametersIn<P extends Parameters>(search: URLSearchParams, known: P): Given<P> {
  const length = search.toString().length
  assertLength(length)
  const given: Record<string, unknown> = {}
  for (const name of new Set(search.keys())) {
    const parameter = Object.hasOwn(known, name) ? known[name] : undefined
    if (!parameter) throw unknownParameter(name, Object.keys(known))
    const [text = '', ...others] = search.getAll(name)
    const value = others.length === 0 ? parameter.read(text) : undefined
    if (value === undefined)
      throw new UsageError(
        `${name} is ${others.length === 0 ? brief(text) : 'given twice'}.`,
        `Expected is ${parameter.expected}, once.`,
      )
    given[name] = value
  }
  return given as Given<P>
}

/** @throws UsageError if the parameters have too many characters. */
export function assertLength(length: number): void {
  if (length > LONGEST)
    throw new UsageError(
      `The parameters have ${length} characters.`,
      `Give at most ${LONGEST} together.`,
    )
}

function unknownParameter(name: string, known: readonly string[]): UsageError {
  return new UsageError(
    `There is no parameter ${brief(name)}.`,
    didYouMean(name, known) ?? `There are ${known.join(', ') || 'none'}.`,
  )
}

/** A text of somebody who asks, in a message. */
export function brief(text: string): string {
  return shown(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

export function oneOf<const T extends string>(...values: readonly T[]): Parameter<T> {
  return {
    expected: values.join(', '),
    read: (text) => values.find((value) => value === text),
  }
}

export function wholeNumber(least: number, most: number): Parameter<number> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    read: (text) =>
      /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most
        ? Number(text)
        : undefined,
  }
}

/** A name, or another text. No database takes a character of code 0. */
export function name(most: number): Parameter<string> {
  return {
    expected: `a text of 1 to ${most} characters`,
    read: (text) =>
      text.length > 0 && text.length <= most && !text.includes('\0') && text.isWellFormed()
        ? text
        : undefined,
  }
}

/** An instant, as the API gives them. */
export const INSTANT: Parameter<Date> = {
  expected: 'an instant in UTC, such as 2030-01-31T18:00:00Z',
  read: (text) => {
    if (!/^[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?Z$/.test(text)) return undefined
    const instant = new Date(text)
    return Number.isNaN(instant.getTime()) ? undefined : instant
  },
}

export const ID: Parameter<string> = {
  expected: 'the id of a result, such as 01981c1e-7c2a-7b3c-8d4e-5f6071829304',
  read: (text) => (isId(text) ? text.toLowerCase() : undefined),
}

export function isId(value: unknown): value is string {
  return typeof value === 'string' && isIdText(value)
}
