import { dashed } from '../../../entities/formats'
import { PREVIOUS_FAILED } from '../../../lib/errors/error-record'
import { isRecord } from '../../../lib/errors/option-checks'
import type { Awaited, Shape } from '../../../lib/row/flow-parts'
import { memberKey, LAST_ORDINAL, ordinalOf } from '../../keys'
import { parsed } from '../../parsed'
import type { FlowRows, MemberRow, MemberValue } from '../dialects/flow-verbs'
import type { ClaimedRaw } from '../row'
import { partOf, wholeOf } from './settling'

/** The most text, in characters, that the values of a set may have together: they become one argument. */
const MOST = 16 * 1024 * 1024
/** Members that one statement reads. */
const PAGE = 1_000

/** Members of each set that are read at once, for many sets. */
const FIRST_PAGE = 100

/** The values of the first members of sets, by set. */
export type FirstValues = ReadonlyMap<string, readonly MemberValue[]>
const NOTHING: FirstValues = new Map()

/** Reads what the members of sets have returned, for the rows that have waited for them. Values stay the JSON that they are. */
export class Filling {
  readonly #rows: FlowRows

  constructor(rows: FlowRows) {
    this.#rows = rows
  }

  /** What most of the rows wait for: few members each, of all rows at once. Rejects if the database does not answer. */
  async firstValues(rows: readonly ClaimedRaw[]): Promise<FirstValues> {
    const sets = new Set<string>()
    for (const { options } of rows) {
      const { awaits } = partOf(options)
      if (awaits && awaits.give !== 'failure') sets.add(awaits.set)
    }
    return this.#rows.firstValues([...sets].map(wholeOf), FIRST_PAGE)
  }

  /** The row with its arguments; one that cannot have them says why. Rejects if the database does not answer. */
  async filled(row: ClaimedRaw, first: FirstValues = NOTHING): Promise<ClaimedRaw> {
    const { awaits } = partOf(row.options)
    const call = parsed(row.args_kwargs)
    if (!awaits || !isRecord(call) || !isOpen(call['args'])) return row
    const { of, fill, kwargs = {} } = call['args']
    let value = ''
    try {
      if (fill.length > 0) value = await this.#valueOf(awaits, first.get(awaits.set))
    } catch (error) {
      if (error instanceof Unfillable) return { ...row, fault: error.message }
      throw error
    }
    const args = of.map((argument, i) => (fill.includes(i) ? value : JSON.stringify(argument)))
    return { ...row, args_kwargs: `{"args":${listOf(args)},"kwargs":${JSON.stringify(kwargs)}}` }
  }

  /** @throws Unfillable */
  async #valueOf(awaits: Awaited, first: readonly MemberValue[] = []): Promise<string> {
    const { set, give } = awaits
    if (give === 'failure') return JSON.stringify(await this.#firstFailure(set))
    const isOutcome = give === 'outcomes'
    if (isWhole(first))
      return given(
        awaits,
        first.map(({ value }) => (isOutcome ? fulfilled(value) : value)),
      )
    const members = await this.#members(set)
    if (members === undefined) throw new Unfillable(tooLarge(awaits))
    // One may have been retried by hand since all had finished.
    const open = members.find(({ status }) => !(isOutcome ? ENDED : GIVING).includes(status))
    if (open) throw new Unfillable(isMissing(open))
    const outcomes = (): Promise<string[]> =>
      Promise.all(members.map((member) => this.#outcomeOf(member)))
    return given(awaits, isOutcome ? await outcomes() : members.map(textOf))
  }

  /**
   * Of most sets one page has all. Of others each further page ends where it would be full: a database that sorts a range
   * before it gives the first rows of it would else sort the rest of the set for each page.
   */
  async #members(set: string): Promise<readonly MemberRow[] | undefined> {
    const members: MemberRow[] = []
    let size = 0
    for (let span: Span | null = { from: 0, upTo: LAST_ORDINAL }; span !== null;) {
      const [from, upTo] = [memberKey(set, span.from), memberKey(set, span.upTo)]
      const page = await this.#rows.members({ set, from, upTo }, PAGE)
      for (const member of page) {
        size += member.return_value?.length ?? 0
        members.push(member)
      }
      if (size > MOST) return undefined
      span = spanAfter(span, page, set)
    }
    return members
  }

  async #firstFailure(set: string): Promise<unknown> {
    const found = await this.#rows.first([wholeOf(set)], 'failed')
    const key = found.get(set)?.key
    const from = key ?? ''
    const [member] = key === undefined ? [] : await this.#rows.members({ set, from, upTo: from }, 1)
    if (!member)
      throw new Unfillable(
        'nothing of its flow is FAILED any more: what was has been retried meanwhile',
      )
    return this.#failureOf(member)
  }

  async #outcomeOf(member: MemberRow): Promise<string> {
    return member.status === 'SUCCESSFUL'
      ? fulfilled(textOf(member))
      : `{"status":"rejected","reason":${JSON.stringify(await this.#failureOf(member))}}`
  }

  /** Of one that did not run because of another one it is the failure of that. */
  async #failureOf(member: MemberRow): Promise<unknown> {
    if (member.exception_class_path !== PREVIOUS_FAILED) return failureOf(member)
    const [, id] = /\bTask ([0-9a-f-]{36}) \(/.exec(member.traceback ?? '') ?? []
    const earlier = id === undefined ? undefined : await this.#rows.row(keyLike(id, member.row_key))
    return failureOf(earlier ?? member)
  }
}

const GIVING: readonly string[] = ['SUCCESSFUL']
const ENDED: readonly string[] = ['SUCCESSFUL', 'FAILED']

/** Why a row cannot be given what it waits for. */
class Unfillable extends Error {}

function isMissing({ row_key, task_path, status }: MemberRow): string {
  return `task ${dashed(row_key)} (${task_path ?? ''}) of its flow, which it was to be told of, is ${status} again: once that one has finished, retry this one`
}

/** Whether these are all values of a set, and no more is to be known of it. */
function isWhole(first: readonly MemberValue[]): boolean {
  return first.length > 0 && first.length < FIRST_PAGE && first.every(({ value }) => value !== '')
}

/** What a row is given, of what its members say. */
function given({ give, shape }: Awaited, values: readonly string[]): string {
  if (give === 'value') return values[0] ?? 'null'
  return shape ? shaped(values, shape) : listOf(values)
}

function fulfilled(value: string): string {
  return `{"status":"fulfilled","value":${value}}`
}

/** Ordinals, both included. */
interface Span {
  readonly from: number
  readonly upTo: number
}

function spanAfter({ upTo }: Span, page: readonly MemberRow[], set: string): Span | null {
  const isFull = page.length === PAGE
  const last = isFull ? (ordinalOf(set, page.at(-1)?.unique_key ?? null) ?? upTo) : upTo
  if (last >= LAST_ORDINAL) return null
  // After an empty page comes the end, or a gap that somebody has made: few are left.
  return {
    from: last + 1,
    upTo: page.length === 0 ? LAST_ORDINAL : Math.min(last + PAGE, LAST_ORDINAL),
  }
}

function failureOf({ row_key, task_path, exception_class_path, traceback }: MemberRow): unknown {
  return {
    id: dashed(row_key),
    taskName: task_path ?? '',
    error: { exceptionClassPath: exception_class_path ?? '', traceback: traceback ?? '' },
  }
}

interface Open {
  readonly of: readonly unknown[]
  readonly fill: readonly unknown[]
  readonly kwargs?: unknown
}

function isOpen(args: unknown): args is Open {
  return isRecord(args) && Array.isArray(args['of']) && Array.isArray(args['fill'])
}

function textOf({ return_value: value }: MemberRow): string {
  return value ?? 'null'
}

function listOf(texts: readonly string[]): string {
  return `[${texts.join(',')}]`
}

/** An id as the keys of this table are spelled. */
function keyLike(id: string, key: string): string {
  return key.includes('-') ? id : id.replaceAll('-', '')
}

function shaped(values: readonly string[], shape: Shape): string {
  let next = 0
  const take = (part: Shape): string =>
    listOf(
      part.flatMap((each) =>
        typeof each === 'number' ? values.slice(next, (next += each)) : [take(each)],
      ),
    )
  return take(shape)
}

function tooLarge({ give }: Awaited): string {
  return `its ${give} of the flow have more than ${MOST / 1024 / 1024} MiB together: let the tasks store what they make and return where it is`
}
