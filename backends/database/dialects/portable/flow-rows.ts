import { And, type EntityManager, In, LessThanOrEqual, MoreThan, MoreThanOrEqual } from 'typeorm'
import { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { dashed, instantOf, NO_DELAY, PARKED_UNTIL } from '../../../../entities/formats'
import { type ErrorRecord, PREVIOUS_FAILED } from '../../../../lib/errors/error-record'
import { ORDINAL_AT, wholeOptions } from '../../../keys'
import type { RawRow } from '../../row'
import { rawOf } from '../../row-to-entity'
import type {
  Asked,
  FlowRows,
  KeyRange,
  MemberRow,
  MemberValue,
  ParkedRow,
  AfterRow,
  Found,
} from '../flow-verbs'
import { byKeys, update } from './entities'
import type { Where } from './where'

const STATUSES = {
  open: ['READY', 'RUNNING'],
  failed: ['FAILED'],
  unsuccessful: ['READY', 'RUNNING', 'FAILED'],
} as const

/** By TypeORM's query builder, one row after the other, and the clock of this process, as the rest of this dialect. */
export class PortableFlowRows implements FlowRows {
  readonly #manager: EntityManager
  readonly #hexIds: boolean

  constructor(manager: EntityManager, hexIds: boolean) {
    this.#manager = manager
    this.#hexIds = hexIds
  }

  async first(ranges: readonly KeyRange[], asked: Asked): Promise<Map<string, Found>> {
    const found = new Map<string, Found>()
    for (const range of ranges) {
      const where = { ...inRange(range), status: In([...STATUSES[asked]]) }
      const [row] = await inOrder(this.#manager, where, 1)
      if (row?.uniqueKey) found.set(range.set, { key: row.uniqueKey, status: row.status })
    }
    return found
  }

  async members(range: KeyRange, limit: number): Promise<readonly MemberRow[]> {
    const rows = await inOrder(this.#manager, inRange(range), limit)
    return rows.map((row) => rawOf(row, this.#hexIds)).map(memberOf)
  }

  async firstValues(
    sets: readonly KeyRange[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly MemberValue[]>> {
    const found = new Map<string, readonly MemberValue[]>()
    for (const range of sets)
      found.set(range.set, (await this.members(range, limit)).map(memberValue))
    return found
  }

  async row(key: string): Promise<MemberRow | undefined> {
    const [row] = await byKeys(this.#manager, [key])
    return row && memberOf(rawOf(row, this.#hexIds))
  }

  async unpark(keys: readonly string[]): Promise<number> {
    const due = {
      status: 'READY' as const,
      runAfter: NO_DELAY,
      finishedAt: null,
      exceptionClassPath: '',
      traceback: '',
    }
    let changed = 0
    for (const id of keys)
      if (
        (await update(this.#manager, waiting(id), due)) ||
        (await update(
          this.#manager,
          { id, status: 'FAILED', exceptionClassPath: PREVIOUS_FAILED },
          due,
        ))
      )
        changed++
    return changed
  }

  async fail(id: string, error: ErrorRecord): Promise<void> {
    await update(this.#manager, waiting(id), {
      status: 'FAILED',
      finishedAt: new Date(),
      ...error,
    })
  }

  async drop(keys: readonly string[]): Promise<void> {
    for (const id of keys) await this.#manager.delete(DBTaskResult, waiting(id))
  }

  async options(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = (await byKeys(this.#manager, keys)).map((row) => rawOf(row, this.#hexIds))
    return new Map(rows.map(withOptions))
  }

  async memberOptions(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = (await byKeys(this.#manager, keys)).map((row) => rawOf(row, this.#hexIds))
    const members = rows.filter(({ unique_key: key }) => key?.startsWith('g'))
    return new Map(members.map(withOptions))
  }

  async unfinished(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = (await byKeys(this.#manager, keys)).map((row) => rawOf(row, this.#hexIds))
    const open: readonly string[] = STATUSES.open
    return new Set(rows.filter(({ status }) => open.includes(status)).map((row) => row.row_key))
  }

  async waiting(
    backendName: string,
    after: AfterRow,
    limit: number,
  ): Promise<readonly ParkedRow[]> {
    const parked: Where = { status: 'READY', runAfter: PARKED_UNTIL, backendName }
    const at = after ? instantOf(after.enqueued_at) : null
    const rows = await this.#manager.find(DBTaskResult, {
      where:
        after && at
          ? [
              { ...parked, enqueuedAt: MoreThan(at) },
              { ...parked, enqueuedAt: at, id: MoreThan(dashed(after.row_key)) },
            ]
          : parked,
      order: { enqueuedAt: 'ASC', id: 'ASC' },
      take: limit,
    })
    return rows.map((row) => {
      const { row_key, options, enqueued_at } = rawOf(row, this.#hexIds)
      return { row_key, options, priority: row.priority, enqueued_at: enqueued_at ?? '' }
    })
  }
}

function memberValue({ unique_key, status, return_value: value }: MemberRow): MemberValue {
  const isThere = status === 'SUCCESSFUL'
  return { place: unique_key?.slice(ORDINAL_AT) ?? '', value: isThere ? (value ?? 'null') : '' }
}

function withOptions({ row_key: key, options, unique_key }: RawRow): [string, string] {
  return [key, wholeOptions(options, unique_key) ?? '{}']
}

function waiting(id: string): Where {
  return { id, status: 'READY', runAfter: PARKED_UNTIL }
}

function inRange({ from, upTo }: KeyRange): Where {
  return { uniqueKey: And(MoreThanOrEqual(from), LessThanOrEqual(upTo)) }
}

function inOrder(manager: EntityManager, where: Where, take: number): Promise<DBTaskResult[]> {
  return manager.find(DBTaskResult, { where, order: { uniqueKey: 'ASC' }, take })
}

function memberOf(row: RawRow): MemberRow {
  const { row_key, status, task_path, return_value, exception_class_path, traceback } = row
  const { unique_key } = row
  return { row_key, unique_key, status, task_path, return_value, exception_class_path, traceback }
}
