import { dashed, hexOf } from '../../../entities/formats'
import { headline, PREVIOUS_FAILED, recordOf } from '../../../lib/errors/error-record'
import { PreviousFailed } from '../../../lib/errors/run-errors'
import { flowPartOf, type SetLinks, type When, WHENS } from '../../../lib/row/flow-parts'
import type { Settled } from '../../../lib/store'
import { isRecord } from '../../../lib/errors/option-checks'
import { LAST_ORDINAL, memberKey, ordinalOf } from '../../keys'
import { parsed } from '../../parsed'
import type { AfterRow, Found, FlowRows, KeyRange, MemberRow } from '../dialects/flow-verbs'

/** Rows that wait, of which one look settles so many. */
const LOOK = 1_000
/** Members before the first one that has not finished from which on that one is remembered: fewer are read as quickly again. */
const FAR = 200
/** Sets of which it is remembered how far they have come. */
const MOST_MARKS = 10_000

/** A set of which all members have finished, and the key of the first that has FAILED. */
interface EndedSet {
  readonly links: SetLinks
  readonly failed: string | undefined
}

/** What of the links of a set are rows to run, to fail and to delete. */
interface Decided {
  readonly unpark: readonly string[]
  readonly drop: readonly string[]
  readonly fail: readonly { readonly ids: readonly string[]; readonly because: KeyRange }[]
}

/**
 * Settles sets of flows: as soon as all members of one have finished, the rows that wait for it are due, FAILED or deleted.
 * What is so is read from the rows each time, and each change is a conditional one, so that anybody may settle any set at any
 * time, and again.
 */
export class Settling {
  readonly #rows: FlowRows
  readonly #backendName: string
  readonly #hexIds: boolean
  /** The first member of a set that had not finished when it was looked for: those before it had. */
  readonly #marks = new Map<string, string>()
  #waitingAfter: AfterRow = null

  constructor(rows: FlowRows, backendName: string, hexIds: boolean) {
    this.#rows = rows
    this.#backendName = backendName
    this.#hexIds = hexIds
  }

  /** Settles those of the sets that have finished, and what follows from it. Resolves to the number of rows that are due now. */
  async settle(sets: readonly SetLinks[]): Promise<number> {
    let due = 0
    for (let left = bySet(sets); left.length > 0;) {
      const { unpark, drop, fail } = decided(await this.#ended(left))
      if (unpark.length > 0) due += await this.#rows.unpark(unpark.map(this.#key))
      await this.#drop(drop)
      for (const { ids, because } of fail) await this.#fail(ids, because)
      // Those have finished now, too, by this or by an earlier one that ended in between, and others may wait for them.
      left = bySet(await this.#linksOf(fail.flatMap(({ ids }) => ids)))
    }
    return due
  }

  /** Settles the sets of rows that wait, some of them at each call: a worker may have been lost before it could. */
  async settleWaiting(): Promise<Settled> {
    const rows = await this.#rows.waiting(this.#backendName, this.#waitingAfter, LOOK)
    this.#waitingAfter = rows.length < LOOK ? null : (rows.at(-1) ?? null)
    const sets = rows.flatMap(({ row_key: key, options }) => {
      const { awaits } = partOf(options)
      return awaits ? [{ set: awaits.set, [awaits.when]: [dashed(key)] }] : []
    })
    return { due: await this.settle(sets), waiting: rows.length }
  }

  readonly #key = (id: string): string => (this.#hexIds ? hexOf(id) : dashed(id))

  /** Those of which no member is left. One look mostly tells that, and that all were SUCCESSFUL. */
  async #ended(sets: readonly SetLinks[]): Promise<readonly EndedSet[]> {
    const marked = sets.filter(({ set }) => this.#marks.has(set))
    const fresh = sets.filter(({ set }) => !this.#marks.has(set))
    const found = await this.#rows.first(rangesOf(fresh), 'unsuccessful')
    const failed = fresh.filter(({ set }) => found.get(set)?.status === 'FAILED')
    const whole = fresh.filter(({ set }) => !found.has(set))
    for (const [set, { key, status }] of found) if (status !== 'FAILED') this.#mark(set, key)
    return [
      ...whole.map((links) => ({ links, failed: undefined })),
      ...(await this.#endedAfter(failed, found)),
      ...(await this.#endedAfter(await this.#pastMarks(marked))),
    ]
  }

  /** Those of which no member is left behind the one that has FAILED; where that is not known, none at all. */
  async #endedAfter(
    sets: readonly SetLinks[],
    known?: ReadonlyMap<string, Found>,
  ): Promise<readonly EndedSet[]> {
    if (sets.length === 0) return []
    const open = await this.#rows.first(rangesOf(sets, known), 'open')
    for (const [set, { key }] of open) this.#mark(set, key)
    const ended = sets.filter(({ set }) => !open.has(set))
    const failed = known ?? (await this.#rows.first(rangesOf(ended), 'failed'))
    return ended.map((links) => ({ links, failed: failed.get(links.set)?.key }))
  }

  /** Those of which no member is left from the mark on. One before it may have been retried by hand since. */
  async #pastMarks(sets: readonly SetLinks[]): Promise<readonly SetLinks[]> {
    const ranges = sets.map(({ set }) => ({ ...wholeOf(set), from: this.#marks.get(set) ?? '' }))
    const open = await this.#rows.first(ranges, 'open')
    for (const [set, { key }] of open) this.#mark(set, key)
    const past = sets.filter(({ set }) => !open.has(set))
    for (const { set } of past) this.#marks.delete(set)
    return past
  }

  async #fail(ids: readonly string[], because: KeyRange): Promise<void> {
    const [member] = await this.#rows.members(because, 1)
    if (!member) return
    for (const id of ids) await this.#rows.fail(this.#key(id), errorFor(member))
  }

  /**
   * And what would come after them, from the end: a row whose members are gone while it waits would be due, if this ends in
   * between.
   */
  async #drop(ids: readonly string[]): Promise<void> {
    const levels: (readonly string[])[] = []
    for (let level = ids; level.length > 0;) {
      levels.push(level)
      const links = await this.#linksOf(level)
      level = links.flatMap((each) => WHENS.flatMap((when) => each[when] ?? []))
    }
    for (const level of levels.toReversed()) await this.#rows.drop(level.map(this.#key))
  }

  async #linksOf(ids: readonly string[]): Promise<SetLinks[]> {
    if (ids.length === 0) return []
    const options = await this.#rows.options(ids.map(this.#key))
    return [...options.values()].flatMap((text) => partOf(text).member ?? [])
  }

  #mark(set: string, key: string): void {
    if ((ordinalOf(set, key) ?? 0) < FAR) return
    if (this.#marks.size >= MOST_MARKS) this.#marks.clear()
    this.#marks.set(set, key)
  }
}

function decided(sets: readonly EndedSet[]): Decided {
  const of = (when: When, hasFailed?: boolean): readonly string[] =>
    sets
      .filter(({ failed }) => hasFailed === undefined || (failed !== undefined) === hasFailed)
      .flatMap(({ links }) => links[when] ?? [])
  return {
    unpark: [...of('finished'), ...of('successful', false), ...of('failed', true)],
    drop: of('failed', false),
    fail: sets.flatMap(({ links: { set, successful = [] }, failed: key }) =>
      key === undefined ? [] : [{ ids: successful, because: { set, from: key, upTo: key } }],
    ),
  }
}

/** The ranges of sets, from a known member on. */
function rangesOf(
  sets: readonly SetLinks[],
  known: ReadonlyMap<string, Found> = new Map(),
): KeyRange[] {
  return sets.map(({ set }) => {
    const whole = wholeOf(set)
    return { ...whole, from: known.get(set)?.key ?? whole.from }
  })
}

/** All keys of a set. */
export function wholeOf(set: string): KeyRange {
  return { set, from: memberKey(set, 0), upTo: memberKey(set, LAST_ORDINAL) }
}

/** Of options that are no JSON, as another program may have written them, nothing. */
export function partOf(options: string | null): ReturnType<typeof flowPartOf> {
  const read = parsed(options)
  return isRecord(read) ? flowPartOf(read) : {}
}

/** One for each set, with all that wait for it. */
function bySet(sets: readonly SetLinks[]): SetLinks[] {
  const found = new Map<string, SetLinks>()
  for (const links of sets) {
    const known = found.get(links.set)
    found.set(links.set, known ? joined(known, links) : links)
  }
  return [...found.values()]
}

function joined(one: SetLinks, other: SetLinks): SetLinks {
  const both = (when: When): string[] => [
    ...new Set([...(one[when] ?? []), ...(other[when] ?? [])]),
  ]
  return {
    set: one.set,
    successful: both('successful'),
    failed: both('failed'),
    finished: both('finished'),
  }
}

/** What failed first is told by all that come after it. */
function errorFor({
  row_key,
  task_path,
  exception_class_path,
  traceback,
}: MemberRow): ReturnType<typeof recordOf> {
  const error = { exceptionClassPath: exception_class_path ?? '', traceback: traceback ?? '' }
  if (error.exceptionClassPath === PREVIOUS_FAILED) return error
  return recordOf(new PreviousFailed(dashed(row_key), task_path ?? '', headline(error) ?? ''))
}
