import { type EntityManager, In, IsNull, LessThan, Not } from 'typeorm'
import { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { instantOf, utcText } from '../../../../entities/formats'
import type { UserKey } from '../../../../lib/order'
import type { ErrorRecord } from '../../../../lib/errors/error-record'
import type { Session } from '../../connections/session'
import { newRow, type NewRows } from '../../new-row'
import type { FinishRow, HeldRow, NoteRow, RawRow } from '../../row'
import { keyOf, newEntity, rawOf } from '../../row-to-entity'
import type { Table } from '../../table'
import {
  type Claim,
  type ClaimOwner,
  Dialect,
  type InsertOptions,
  NONE,
  type Part,
  type Postponement,
  type Prunable,
  type Released,
} from '../dialect'
import type { FlowRows } from '../flow-verbs'
import type * as flowRows from './flow-rows'
import type { WorkerRecords } from '../worker-records'
import { claimRows } from './claim'
import { byKeys, insertAll, insertUnlessTaken, update } from './entities'
import {
  afterCancel,
  afterFinish,
  afterNote,
  afterPostponement,
  afterRelease,
  afterRenewal,
  isSettled,
} from './rows'
import type * as workers from './workers'
import { fence, finishable, holding, inPart, keepsNoMore, prunable } from './where'

/**
 * For every other database of TypeORM: no SQL of its own, so a SELECT and then one conditional UPDATE per row, whose row
 * count decides. Slower than a dialect of its own, but no less exact.
 *
 * Instants are those of this process's clock, to the millisecond, since no query builder can ask databases for theirs
 * in a portable way: the clocks of enqueuers and workers must not differ by more than a fraction of the lease.
 */
export class Portable extends Dialect {
  readonly name = 'portable'
  readonly maxStatement = 16 * 1024 * 1024
  readonly #hexIds: boolean

  constructor({ hexIds }: Table) {
    super()
    this.#hexIds = hexIds
  }

  async insert(
    session: Session,
    { shared, calls }: NewRows,
    { unlessTaken, delay }: InsertOptions,
  ): Promise<(key: string) => string | undefined> {
    const now = utcText(new Date())
    const runAfter = delay === null ? {} : { run_after: utcText(new Date(Date.now() + delay)) }
    const entities = calls.map((call) => newEntity(newRow(call, { ...shared, ...runAfter }, now)))
    const isWritten = unlessTaken
      ? await insertUnlessTaken(session, entities[0] ?? {})
      : await insertAll(session, entities).then(() => true)
    return () => (isWritten ? now : undefined)
  }

  async byId({ manager }: Session, id: string): Promise<RawRow | undefined> {
    return this.#rawRows(await manager.findBy(DBTaskResult, { id }))[0]
  }

  async byUniqueKey({ manager }: Session, uniqueKey: string): Promise<RawRow | undefined> {
    return this.#rawRows(await manager.findBy(DBTaskResult, { uniqueKey }))[0]
  }

  async freeKey({ manager }: Session, row: RawRow, key: UserKey): Promise<boolean> {
    return update(manager, { ...holding(row), ...keepsNoMore(key) }, { uniqueKey: null })
  }

  async postpone({ manager }: Session, row: RawRow, change: Postponement): Promise<boolean> {
    const changes = afterPostponement(instantOf(row.enqueued_at ?? ''), change)
    return update(manager, { ...holding(row), status: 'READY' }, changes)
  }

  async claim({ manager }: Session, claim: Claim): Promise<RawRow[]> {
    return this.#rawRows(await claimRows(manager, claim))
  }

  async finish({ manager }: Session, rows: readonly FinishRow[]): Promise<Set<string>> {
    const stored = await this.#byKey(manager, rows)
    const kept = new Set<string>()
    for (const row of rows) {
      const entity = stored.get(row.row_key)
      if (
        entity &&
        (isSettled(entity, row) ||
          (await update(manager, finishable(row), afterFinish(entity, row))))
      )
        kept.add(row.row_key)
    }
    return kept
  }

  async takeOver({ manager }: Session, rows: readonly FinishRow[]): Promise<Set<string>> {
    const stored = await this.#byKey(manager, rows)
    const taken = new Set<string>()
    for (const row of rows) {
      const entity = stored.get(row.row_key)
      const where = { ...finishable(row), leaseUntil: LessThan(new Date()) }
      if (entity && (await update(manager, where, afterFinish(entity, row)))) taken.add(row.row_key)
    }
    return taken
  }

  async renew(
    { manager }: Session,
    rows: readonly HeldRow[],
    leaseSeconds: number,
  ): Promise<Map<string, boolean>> {
    const held: HeldRow[] = []
    for (const row of rows)
      if (await update(manager, fence(row), afterRenewal(leaseSeconds))) held.push(row)
    return new Map(
      [...(await this.#byKey(manager, held))].map(([key, entity]) => [
        key,
        entity.cancelRequestedAt !== null,
      ]),
    )
  }

  async report({ manager }: Session, notes: readonly NoteRow[]): Promise<void> {
    for (const note of notes) await update(manager, fence(note), afterNote(note))
  }

  async release(
    { manager }: Session,
    rows: readonly HeldRow[],
    delay: number | null = null,
  ): Promise<Released> {
    const stored = await this.#byKey(manager, rows)
    let released = 0
    for (const row of rows) {
      const entity = stored.get(row.row_key)
      const where = { ...fence(row), cancelRequestedAt: IsNull() }
      if (entity && (await update(manager, where, afterRelease(entity, delay)))) released++
    }
    return { released, locked: NONE }
  }

  /** A claim leaves none out. */
  async argumentsOf(): Promise<ReadonlyMap<string, string>> {
    return new Map()
  }

  async expired({ manager }: Session, backendName: string, limit: number): Promise<RawRow[]> {
    return this.#rawRows(
      await manager.find(DBTaskResult, {
        where: { backendName, status: 'RUNNING', leaseUntil: LessThan(new Date()) },
        take: limit,
      }),
    )
  }

  async runningOf(
    { manager }: Session,
    { workerId, backendName }: ClaimOwner,
    limit: number,
  ): Promise<HeldRow[]> {
    const running = await manager.find(DBTaskResult, {
      where: { backendName, status: 'RUNNING', leaseUntil: Not(IsNull()) },
      take: limit,
    })
    return running
      .filter(({ workerIds }) => workerIds.at(-1) === workerId)
      .map((entity) => ({ row_key: keyOf(entity, this.#hexIds), claims: entity.claims }))
  }

  async furtherOn(
    { manager }: Session,
    after: string | null,
    rows: number,
  ): Promise<string | null> {
    const [entity] = await manager.find(DBTaskResult, {
      select: { id: true },
      where: inPart({ after, upTo: null }),
      order: { id: 'ASC' },
      skip: rows - 1,
      take: 1,
    })
    return entity ? keyOf(entity, this.#hexIds) : null
  }

  async prunable(
    { manager }: Session,
    query: Prunable,
    part: Part,
    limit: number,
  ): Promise<string[]> {
    const where = prunable(query).map((each) => ({ ...each, ...inPart(part) }))
    const entities = await manager.find(DBTaskResult, {
      select: { id: true },
      where,
      order: { id: 'ASC' },
      take: limit,
    })
    return entities.map((entity) => keyOf(entity, this.#hexIds))
  }

  async countPrunable({ manager }: Session, query: Prunable): Promise<number> {
    return manager.count(DBTaskResult, { where: prunable(query) })
  }

  async deleteFinished({ manager }: Session, keys: readonly string[]): Promise<number> {
    return (
      (await manager.delete(DBTaskResult, { id: In(keys), status: In(['SUCCESSFUL', 'FAILED']) }))
        .affected ?? 0
    )
  }

  async cancelReady({ manager }: Session, id: string, error: ErrorRecord): Promise<number> {
    const entity = await manager.findOneBy(DBTaskResult, { id })
    return entity && (await update(manager, { id, status: 'READY' }, afterCancel(entity, error)))
      ? 1
      : 0
  }

  async requestCancel({ manager }: Session, id: string): Promise<number> {
    const running = { id, status: 'RUNNING', leaseUntil: Not(IsNull()) } as const
    return (await update(manager, running, { cancelRequestedAt: new Date() })) ? 1 : 0
  }

  flowRows({ manager }: Session): FlowRows {
    const { PortableFlowRows } = require('./flow-rows') as typeof flowRows
    return new PortableFlowRows(manager, this.#hexIds)
  }

  workerRecords(): WorkerRecords {
    const { PortableWorkers } = require('./workers') as typeof workers
    return new PortableWorkers()
  }

  async #byKey(
    manager: EntityManager,
    rows: readonly HeldRow[],
  ): Promise<Map<string, DBTaskResult>> {
    const entities = await byKeys(
      manager,
      rows.map((row) => row.row_key),
    )
    return new Map(entities.map((entity) => [keyOf(entity, this.#hexIds), entity]))
  }

  #rawRows(entities: readonly DBTaskResult[]): RawRow[] {
    return entities.map((entity) => rawOf(entity, this.#hexIds))
  }
}
