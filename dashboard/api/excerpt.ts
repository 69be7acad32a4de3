import type { TaskResult } from '../../index'
import { headline } from '../../lib/errors/error-record'
import type { Redaction } from '../security/redact'

/** Characters of a line in a list. */
const MOST = 120
/** A list is read each second: values of more characters than this are not looked through for it. */
const MOST_LOOKED = 50_000
/** What a name, a number or a bracket counts as. */
const EACH = 8

type Result = TaskResult<unknown>

/** What tells a task from others of its name, each in one line of a list. */
export interface Excerpts {
  /** The beginning of its arguments; null: it has none. */
  readonly excerpt: string | null
  /** What failed, such as `TypeError: broken`; null: nothing, or the class alone is told. */
  readonly headline: string | null
}

export const NO_EXCERPTS: Excerpts = { excerpt: null, headline: null }

/** Redacted before it is cut: what was cut would not be found. */
export function excerptsOf(result: Result, redaction: Redaction): Excerpts {
  const { args, kwargs } = result
  if (lengthOf([args, kwargs]) > MOST_LOOKED) return { ...NO_EXCERPTS, excerpt: '…' }
  const [shownArgs, shownKwargs] = redaction.value([args, kwargs]) as [unknown[], object]
  const texts = [
    ...shownArgs.map((value) => JSON.stringify(value) ?? 'null'),
    ...Object.entries(shownKwargs).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
  ]
  return {
    excerpt: texts.length === 0 ? null : cut(texts.join(', ')),
    headline: headlineOf(result, redaction),
  }
}

/** The class stands in it, also where a name that the error was given hides it. */
function headlineOf({ errors }: Result, redaction: Redaction): string | null {
  const error = errors.at(-1)
  const line = headline(error)
  if (!error || line === undefined || line === '') return null
  const name = error.exceptionClassPath.split('.').at(-1) ?? ''
  return cut(redaction.text(line.startsWith(name) ? line : `${name}: ${line}`))
}

function cut(text: string): string {
  return text.length <= MOST ? text : `${text.slice(0, MOST - 1).toWellFormed()}…`
}

/** About how many characters values have as JSON; it ends as soon as they are too many. */
function lengthOf(value: unknown, before = 0): number {
  let length = before + EACH
  if (typeof value === 'string') return length + value.length
  if (typeof value !== 'object' || value === null) return length
  for (const [name, each] of Object.entries(value)) {
    if (length > MOST_LOOKED) return length
    length = lengthOf(each, length + name.length)
  }
  return length
}
