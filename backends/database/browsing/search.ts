import { dashed, instantOf } from '../../../entities/formats'
import type { TaskPage, TaskQuery } from '../../../lib/browser'
import { hasArgument, hasText } from '../../../lib/browsing/match'
import { clock } from '../../../lib/clock'
import { ResultNotFoundError } from '../../../lib/errors/errors'
import { isUuid } from '../../ids'
import type { Values } from '../connections/statement'
import { type ClaimedRaw, valuesOf } from '../row'
import { SMALL_COLUMNS } from '../browse'
import { type Conditions, conditionsOf, isImpossible } from './conditions'
import { MARGIN_MS, type Sight } from './sight'

/** After so many ms no other part of the table is looked at. */
const BUDGET_MS = 1_500
/** Rows of the first part, of each later one at most, and how many times as large a part is as the one before. */
const CHEAP = { first: 2_000, most: 50_000 }
const COSTLY = { first: 250, most: 4_000 }
const GROWTH = 4
/** Rows of a part that are looked at in this process. */
const CANDIDATES = 100
/** Of these so many at once: each may have megabytes of arguments. */
const TOLD = 10

const NOTHING: TaskPage = { tasks: [], next: null, searchedTo: null }

/** A row, and when it was enqueued. */
interface Place {
  readonly row_key: string
  readonly at: string
}

/**
 * Tasks, the newest first: part by part of the newest rows, each by two statements that read so many rows of the primary key,
 * whatever the filters.
 *
 * @throws ResultNotFoundError if `before` is no id.
 */
export async function searchTasks(sight: Sight, query: TaskQuery): Promise<TaskPage> {
  if (query.before !== undefined && !isUuid(dashed(query.before)))
    throw new ResultNotFoundError(query.before)
  if (isImpossible(query) || query.limit <= 0 || query.within <= 0) return NOTHING
  const search = new Search(sight, query)
  const { keys, next, searchedTo } = await search.run()
  return {
    tasks: await sight.results(keys),
    next: next === null ? null : dashed(next),
    searchedTo: searchedTo === null ? null : instantOf(searchedTo),
  }
}

interface Found {
  readonly keys: readonly string[]
  readonly next: string | null
  readonly searchedTo: string | null
}

interface Named {
  readonly row_key: string
  readonly task_path: string | null
  readonly queue_name: string | null
}

class Search {
  readonly #sight: Sight
  readonly #query: TaskQuery
  readonly #conditions: Conditions
  readonly #isCostly: boolean
  readonly #keys: string[] = []
  #before: string | undefined

  constructor(sight: Sight, query: TaskQuery) {
    this.#sight = sight
    this.#query = query
    this.#conditions = conditionsOf(sight, query)
    this.#isCostly = this.#conditions.costly.length > 0
    this.#before = query.before === undefined ? undefined : sight.keyOf(query.before)
  }

  async run(): Promise<Found> {
    const { limit, within } = this.#query
    const { first, most } = this.#isCostly ? COSTLY : CHEAP
    const deadline = clock.now() + BUDGET_MS
    let looked = 0
    for (let size = first; ; size = Math.min(GROWTH * size, most)) {
      const rows = Math.min(size, within - looked)
      const last = (await this.#find(rows)) ?? (await this.#edge(rows))
      if (this.#keys.length > limit) return this.#full(this.#keys[limit - 1])
      if (!last) return { keys: this.#keys, next: null, searchedTo: null }
      if (this.#keys.length === limit) return this.#full(last.row_key)
      looked += rows
      this.#before = last.row_key
      if (looked >= within || clock.now() > deadline)
        return { keys: this.#keys, next: last.row_key, searchedTo: last.at }
    }
  }

  #full(next = ''): Found {
    return { keys: this.#keys.slice(0, this.#query.limit), next, searchedTo: null }
  }

  /** Looks for rows among the next ones. Resolves to how far that came, if not through all of them. */
  async #find(rows: number): Promise<Place | undefined> {
    // One more tells that there is another page.
    const wanted = this.#query.limit + 1 - this.#keys.length
    const most = this.#isCostly ? CANDIDATES : wanted
    const shown = await this.#shown(rows)
    if (shown?.length === 0) return undefined
    const found = await this.#sight.asking.rows<Place>(this.#statement(shown !== null), {
      ...this.#values(),
      rows,
      most,
      ...(shown && { shown }),
    })
    if (!this.#isCostly) {
      this.#keys.push(...found.map(({ row_key }) => row_key))
      return undefined
    }
    const matching = await this.#matching(found.map(({ row_key }) => row_key))
    this.#keys.push(...matching.slice(0, wanted))
    return found.length < CANDIDATES ? undefined : found.at(-1)
  }

  /** Of the next rows those whose values may be compared; null: of all of them. */
  async #shown(rows: number): Promise<readonly string[] | null> {
    const { isShown } = this.#query
    if (!isShown) return null
    const { path, words } = this.#sight
    const text = `SELECT ${words.key('t.id')} AS row_key, t.task_path AS task_path, t.queue_name AS queue_name
      FROM ${path} t${this.#bounds()} ORDER BY ${this.#order()} LIMIT :rows`
    const { before, upTo, least } = this.#values()
    const all = await this.#sight.asking.rows<Named>(text, given({ before, upTo, least, rows }))
    const shown = all.filter(({ task_path, queue_name }) =>
      isShown({ taskName: task_path ?? '', queueName: queue_name ?? '' }),
    )
    return shown.length === all.length ? null : shown.map(({ row_key }) => row_key)
  }

  /** The last of the next rows; undefined if there are fewer. */
  async #edge(rows: number): Promise<Place | undefined> {
    if (this.#keys.length > this.#query.limit) return undefined
    const { path, words } = this.#sight
    const text = `SELECT ${words.key('t.id')} AS row_key, ${words.instantText('t.enqueued_at')} AS at FROM ${path} t${this.#bounds()}
      ORDER BY ${this.#order()} LIMIT 1 OFFSET :skipped`
    const { before, upTo, least } = this.#values()
    const values = { before, upTo, least, skipped: rows - 1 }
    return (await this.#sight.asking.rows<Place>(text, given(values)))[0]
  }

  /** The filters stand outside of the subquery, so that no plan can read more rows than it has. */
  #statement(isNarrow: boolean): string {
    const { path, words } = this.#sight
    const { small, costly, whole } = this.#conditions
    const columns = SMALL_COLUMNS.map((column) => `t.${column}`).join(', ')
    const join = [...costly, ...whole].length > 0 ? ` JOIN ${path} w ON w.id = t.id` : ''
    return `SELECT ${words.key('t.id')} AS row_key, ${words.instantText('t.enqueued_at')} AS at
      FROM (SELECT ${columns} FROM ${path} t${this.#bounds()} ORDER BY ${this.#order()} LIMIT :rows) t${join}
      WHERE ${[...small, ...(isNarrow ? ['t.id IN (:shown)'] : []), ...whole, ...costly].join(' AND ')} ORDER BY ${this.#order()} LIMIT :most`
  }

  /** Those that filters mean which a database cannot compare. */
  async #matching(keys: readonly string[]): Promise<string[]> {
    const { args = [], text, workerId, isShown } = this.#query
    const isMatch = (row: ClaimedRaw): boolean => {
      const values = valuesOf(row)
      return (
        // It may have come since the others were asked for.
        (isShown?.(values) ?? true) &&
        args.every((each) => hasArgument(values, each)) &&
        (text === undefined || hasText(values, text)) &&
        (workerId === undefined || values.workerIds.includes(workerId))
      )
    }
    const found: string[] = []
    for (let at = 0; at < keys.length; at += TOLD) {
      const rows = await this.#sight.told(keys.slice(at, at + TOLD))
      found.push(...rows.filter(isMatch).map(({ row_key }) => row_key))
    }
    return found
  }

  #order(): string {
    return this.#sight.isOurs ? 't.id DESC' : 't.enqueued_at DESC, t.id DESC'
  }

  /** Where ids tell the time, those of another time are passed over without being looked at. */
  #bounds(): string {
    const { isOurs, path } = this.#sight
    const { before, upTo, least } = this.#values()
    const conditions: string[] = []
    // The database compares the times: JavaScript would cut their microseconds off.
    const time = `(SELECT b.enqueued_at FROM ${path} b WHERE b.id = :before)`
    if (before !== undefined)
      conditions.push(
        isOurs
          ? 't.id < :before'
          : `(t.enqueued_at < ${time} OR (t.enqueued_at = ${time} AND t.id < :before))`,
      )
    if (upTo !== undefined) conditions.push('t.id < :upTo')
    if (least !== undefined) conditions.push('t.id >= :least')
    return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  }

  #values(): Values {
    const { hasTimedIds } = this.#sight
    const { from, to } = this.#query
    return given({
      ...this.#conditions.values,
      before: this.#before,
      upTo: to && hasTimedIds ? this.#sight.idAt(to.getTime() + MARGIN_MS) : undefined,
      least: from && hasTimedIds ? this.#sight.idAt(from.getTime() - MARGIN_MS) : undefined,
    })
  }
}

/** Without those that are not there. */
function given(values: Readonly<Record<string, Values[string] | undefined>>): Values {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ) as Values
}
