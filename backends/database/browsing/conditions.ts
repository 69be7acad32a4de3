import { utcText } from '../../../entities/formats'
import type { ArgumentQuery, TaskQuery, TaskState } from '../../../lib/browser'
import type { Values } from '../connections/statement'
import type { Sight } from './sight'

/** What rows must be like. `t` has the small columns of the rows that are looked at, `w` all of them. */
export interface Conditions {
  readonly small: readonly string[]
  /** They need the whole row, and let too many of them pass: each is looked at again in this process. */
  readonly costly: readonly string[]
  /** Of small columns too, but of such that are not read of each row. */
  readonly whole: readonly string[]
  readonly values: Values
}

/** Stands before a character of a pattern that means itself. */
const ESCAPE = '!'

export function conditionsOf(sight: Sight, query: TaskQuery): Conditions {
  const { exactly, words } = sight
  const { state, queue, taskName, error, from, to } = query
  const small = [sight.isBackend]
  const whole: string[] = []
  const values: Record<string, string> = { backend: sight.backendName }
  const add = (list: string[], condition: string, name: string, value: string): void => {
    list.push(condition)
    values[name] = value
  }
  if (state) small.push(inState(sight, state))
  if (queue !== undefined) add(small, `${exactly('t.queue_name')} = :queue`, 'queue', queue)
  if (taskName !== undefined)
    add(small, `${exactly('t.task_path')} = :taskName`, 'taskName', taskName)
  if (from) add(small, `t.enqueued_at >= ${words.instant(':from')}`, 'from', utcText(from))
  if (to) add(small, `t.enqueued_at < ${words.instant(':to')}`, 'to', utcText(to))
  if (error !== undefined) {
    small.push("t.status = 'FAILED'")
    add(whole, `${exactly('w.exception_class_path')} = :error`, 'error', error)
  }
  return { small, whole, ...costlyOf(sight, query, values) }
}

/** Whether a text of the query has what no text of a database can have. */
export function isImpossible({ queue, taskName, error, workerId }: TaskQuery): boolean {
  return [queue, taskName, error, workerId].some((text) => text?.includes('\0'))
}

function inState({ words: { now, noDelay, parked } }: Sight, state: TaskState): string {
  switch (state) {
    case 'DUE':
      return `t.status = 'READY' AND (t.run_after = ${noDelay} OR t.run_after <= ${now})`
    case 'LATER':
      return `t.status = 'READY' AND t.run_after > ${now} AND t.run_after <> ${noDelay} AND t.run_after <> ${parked}`
    case 'WAITING':
      return `t.status = 'READY' AND t.run_after = ${parked}`
    default:
      return `t.status = '${state}'`
  }
}

function costlyOf(
  { exactly, words }: Sight,
  { args = [], text, workerId }: TaskQuery,
  known: Values,
): Pick<Conditions, 'costly' | 'values'> {
  const costly: string[] = []
  const values: Record<string, Values[string]> = { ...known }
  const like = (column: string, pattern: string): string => {
    const name = `like${Object.keys(values).length}`
    values[name] = pattern
    return `${column} LIKE :${name} ESCAPE '${ESCAPE}'`
  }
  const call = words.asText('w.args_kwargs')
  for (const argument of args)
    costly.push(anyOf(patternsOf(argument).map((pattern) => like(call, pattern))))
  if (workerId !== undefined)
    costly.push(
      anyOf(exactPatterns(workerId).map((pattern) => like(words.asText('w.worker_ids'), pattern))),
    )
  if (text !== undefined) {
    // In a language's own collation, as Turkish, letters of ASCII may have others in small.
    const columns = [call, 'w.task_path', 'w.exception_class_path', 'w.traceback']
    costly.push(
      anyOf(columns.map((column) => like(`lower(${exactly(column)})`, loosePattern(text)))),
    )
  }
  return { costly, values }
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '1 = 1' : `(${conditions.join(' OR ')})`
}

/** A number that every program writes in the same way. */
const PLAIN_NUMBER = /^-?(0|[1-9]\d{0,14})$/
/** What may be the text of a number, an object or a list, of which a database may have another text. */
const MAY_BE_OTHER = /^\s*(-?[\d.]|[[{])/

/** Of what stands in arguments: a text that is like none of these is not that value. */
function patternsOf({ value }: ArgumentQuery): readonly string[] {
  return MAY_BE_OTHER.test(value) && !PLAIN_NUMBER.test(value) ? [] : exactPatterns(value)
}

/** Of a text within JSON, as JavaScript writes that, and in ASCII alone, as Python does. */
function exactPatterns(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const ascii = json.replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return [...new Set([json, ascii])].map((each) => `%${escaped(each)}%`)
}

/** Of a text in any case of letters: only letters, digits and marks of ASCII are written alike wherever they stand. */
function loosePattern(text: string): string {
  return `%${escaped(text.toLowerCase().replaceAll(/[^ !#-[\]-~]+/g, '\0')).replaceAll('\0', '%')}%`
}

function escaped(text: string): string {
  return text.replaceAll(/[!%_]/g, `${ESCAPE}$&`)
}
