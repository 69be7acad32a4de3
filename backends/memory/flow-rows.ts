import { type ErrorRecord, PREVIOUS_FAILED } from '../../lib/errors/error-record'
import type {
  Asked,
  Found,
  FlowRows,
  KeyRange,
  MemberRow,
  MemberValue,
  ParkedRow,
} from '../database/dialects/flow-verbs'
import { PARKED, UNDELAYED } from '../database/enqueueing/shared-values'
import { ORDINAL_AT, wholeOptions } from '../keys'
import { end, type MemoryRow } from './row'
import type { MemoryTable } from './table'

const STATUSES: Readonly<Record<Asked, readonly string[]>> = {
  open: ['READY', 'RUNNING'],
  failed: ['FAILED'],
  unsuccessful: ['READY', 'RUNNING', 'FAILED'],
}

/** The verbs of flows on rows in this process. */
export class MemoryFlowRows implements FlowRows {
  readonly #table: MemoryTable

  constructor(table: MemoryTable) {
    this.#table = table
  }

  async first(ranges: readonly KeyRange[], asked: Asked): Promise<Map<string, Found>> {
    const found = new Map<string, Found>()
    for (const range of ranges) {
      const row = this.#inRange(range).find(({ status }) => STATUSES[asked].includes(status))
      if (row?.unique_key) found.set(range.set, { key: row.unique_key, status: row.status ?? '' })
    }
    return found
  }

  async members(range: KeyRange, limit: number): Promise<readonly MemberRow[]> {
    return this.#inRange(range).slice(0, limit)
  }

  async firstValues(
    sets: readonly KeyRange[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly MemberValue[]>> {
    return new Map(
      sets.map((range) => [range.set, this.#inRange(range).slice(0, limit).map(memberValue)]),
    )
  }

  async row(key: string): Promise<MemberRow | undefined> {
    return this.#table.rows.get(key)
  }

  async unpark(keys: readonly string[]): Promise<number> {
    const rows = this.#rowsOf(keys).filter(
      (row) =>
        isWaiting(row) || (row.status === 'FAILED' && row.exception_class_path === PREVIOUS_FAILED),
    )
    for (const row of rows)
      Object.assign(row, {
        status: 'READY',
        run_after: UNDELAYED,
        finished_at: null,
        exception_class_path: '',
        traceback: '',
      })
    for (const { queue_name: queue } of rows)
      this.#table.tell({ what: 'ready', queue: queue ?? '' })
    return rows.length
  }

  async fail(key: string, error: ErrorRecord): Promise<void> {
    const row = this.#table.rows.get(key)
    if (row && isWaiting(row)) end(row, 'FAILED', error, this.#table.now())
  }

  async drop(keys: readonly string[]): Promise<void> {
    for (const row of this.#rowsOf(keys)) if (isWaiting(row)) this.#table.rows.delete(row.row_key)
  }

  async options(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(this.#rowsOf(keys).map(withOptions))
  }

  async memberOptions(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const members = this.#rowsOf(keys).filter(({ unique_key: key }) => key?.startsWith('g'))
    return new Map(members.map(withOptions))
  }

  async unfinished(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const open = this.#rowsOf(keys).filter(({ status }) => STATUSES.open.includes(status))
    return new Set(open.map((row) => row.row_key))
  }

  async waiting(backendName: string): Promise<readonly ParkedRow[]> {
    return [...this.#table.rows.values()]
      .filter((row) => isWaiting(row) && row.backend_name === backendName)
      .map(({ row_key, options, priority, enqueued_at }) => ({
        row_key,
        options,
        priority: Number(priority),
        enqueued_at: enqueued_at ?? '',
      }))
  }

  #rowsOf(keys: readonly string[]): MemoryRow[] {
    return keys.flatMap((key) => this.#table.rows.get(key) ?? [])
  }

  /** Keys of a set are added in their order. */
  #inRange({ set, from, upTo }: KeyRange): MemoryRow[] {
    return this.#table
      .membersOf(set)
      .filter(({ unique_key: key }) => key !== null && key >= from && key <= upTo)
  }
}

function memberValue({ unique_key, status, return_value: value }: MemberRow): MemberValue {
  const isThere = status === 'SUCCESSFUL'
  return { place: unique_key?.slice(ORDINAL_AT) ?? '', value: isThere ? (value ?? 'null') : '' }
}

function withOptions({ row_key: key, options, unique_key }: MemoryRow): [string, string] {
  return [key, wholeOptions(options, unique_key) ?? '{}']
}

function isWaiting({ status, run_after }: MemoryRow): boolean {
  return status === 'READY' && run_after === PARKED
}
