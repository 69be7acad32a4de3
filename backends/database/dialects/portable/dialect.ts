import { type EntityManager, In, IsNull, LessThan, LessThanOrEqual, Not } from 'typeorm'
import { DBTaskResult } from '../../../../entities/db-task-result.entity'
import { NO_DELAY } from '../../../../entities/formats'
import type { ErrorRecord } from '../../../../lib/errors/error-record'
import { patiently } from '../../connections/retry-contention'
import type { Claim, Dialect, How, Part, Prunable, QueueWish } from '../dialect'
import type { NewRows } from '../../row'
import type { RenewRow } from '../../row'
import type { FinishRow } from '../../row'
import type { HeldRow } from '../../row'
import type { RawRow } from '../../row'
import { rawOf } from '../../row-to-entity'
import type { Session } from '../../connections/session'
import type { Table } from '../../table'
import { fence, finishable, inPart, inQueues, prunable, type Where } from './where'
import {
  afterCancel,
  afterClaim,
  afterFinish,
  afterRelease,
  afterRenewal,
  keyOf,
  newEntity,
  stands,
} from './rows'

type Changes = Partial<DBTaskResult>

/** SQL Server takes 2,100 parameters in a statement, Oracle 1,000 values in a list. */
const INSERT_CHUNK = 50
const LIST_CHUNK = 500
/** Rows that others took between a look and the claim are made up for by further looks. */
const LOOKS = 10

/**
 * For every other database of TypeORM: no SQL of its own, so a look and then one conditional UPDATE per row, whose row
 * count decides. Slower than a dialect of its own, but no less exact.
 *
 * Instants are those of this process's clock, to the millisecond, since no query builder can ask databases for theirs
 * in a portable way: keep the clocks of enqueuers and workers within a fraction of the lease of each other.
 */
export class Portable implements Dialect {
  readonly name = 'portable'
  readonly maxStatement = 16 * 1024 * 1024
  readonly #hexIds: boolean

  constructor({ hexIds }: Table) {
    this.#hexIds = hexIds
  }

  async insert(
    session: Session,
    { shared, calls }: NewRows,
    { unlessTaken }: How,
  ): Promise<(key: string) => string | undefined> {
    const entities = calls.map((call) => newEntity(call, shared, new Date()))
    await (unlessTaken ? insertUnlessTaken(session, entities) : insertAll(session, entities))
    const written = this.#rawRows(
      await byKeys(
        session.manager,
        calls.map((call) => call.row_key),
      ),
    )
    const times = new Map(
      written
        .filter((row) => row.unique_key === shared.unique_key)
        .map((row) => [row.row_key, row.enqueued_at ?? '']),
    )
    return (key) => times.get(key)
  }

  async byId({ manager }: Session, id: string): Promise<RawRow | undefined> {
    return this.#rawRows(await manager.findBy(DBTaskResult, { id }))[0]
  }

  async byUniqueKey({ manager }: Session, uniqueKey: string): Promise<RawRow | undefined> {
    return this.#rawRows(await manager.findBy(DBTaskResult, { uniqueKey }))[0]
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
        (stands(entity, row) || (await update(manager, finishable(row), afterFinish(entity, row))))
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
      if (
        entity &&
        (await update(
          manager,
          { ...finishable(row), leaseUntil: LessThan(new Date()) },
          afterFinish(entity, row),
        ))
      )
        taken.add(row.row_key)
    }
    return taken
  }

  async renew(
    { manager }: Session,
    rows: readonly RenewRow[],
    leaseSeconds: number,
  ): Promise<Map<string, boolean>> {
    const held: RenewRow[] = []
    for (const row of rows)
      if (await update(manager, fence(row), afterRenewal(row, leaseSeconds))) held.push(row)
    return new Map(
      [...(await this.#byKey(manager, held))].map(([key, entity]) => [
        key,
        entity.cancelRequestedAt !== null,
      ]),
    )
  }

  async release({ manager }: Session, rows: readonly HeldRow[]): Promise<number> {
    const stored = await this.#byKey(manager, rows)
    let released = 0
    for (const row of rows) {
      const entity = stored.get(row.row_key)
      if (
        entity &&
        (await update(
          manager,
          { ...fence(row), cancelRequestedAt: IsNull() },
          afterRelease(entity),
        ))
      )
        released++
    }
    return released
  }

  async expired({ manager }: Session, backendName: string, limit: number): Promise<RawRow[]> {
    return this.#rawRows(
      await manager.find(DBTaskResult, {
        where: { backendName, status: 'RUNNING', leaseUntil: LessThan(new Date()) },
        take: limit,
      }),
    )
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
    wish: Prunable,
    part: Part,
    limit: number,
  ): Promise<string[]> {
    const where = prunable(wish).map((each) => ({ ...each, ...inPart(part) }))
    const entities = await manager.find(DBTaskResult, {
      select: { id: true },
      where,
      order: { id: 'ASC' },
      take: limit,
    })
    return entities.map((entity) => keyOf(entity, this.#hexIds))
  }

  async countPrunable({ manager }: Session, wish: Prunable): Promise<number> {
    return manager.count(DBTaskResult, { where: prunable(wish) })
  }

  async deleteFinished({ manager }: Session, keys: readonly string[]): Promise<number> {
    return (
      (await manager.delete(DBTaskResult, { id: In(keys), status: In(['SUCCESSFUL', 'FAILED']) }))
        .affected ?? 0
    )
  }

  async count(
    { manager }: Session,
    backendName: string,
    wish: QueueWish,
  ): Promise<Record<string, number>> {
    const query = manager
      .createQueryBuilder(DBTaskResult, 't')
      .select('t.status', 'status')
      .addSelect('COUNT(*)', 'n')
    const records = await query
      .where({ backendName, ...inQueues(wish) })
      .groupBy('t.status')
      .getRawMany<{ status: string; n: number | string }>()
    return Object.fromEntries(records.map(({ status, n }) => [status, Number(n)]))
  }

  async cancelReady({ manager }: Session, id: string, error: ErrorRecord): Promise<number> {
    const entity = await manager.findOneBy(DBTaskResult, { id })
    return entity && (await update(manager, { id, status: 'READY' }, afterCancel(entity, error)))
      ? 1
      : 0
  }

  async requestCancel({ manager }: Session, id: string): Promise<number> {
    return (await update(
      manager,
      { id, status: 'RUNNING', leaseUntil: Not(IsNull()) },
      { cancelRequestedAt: new Date() },
    ))
      ? 1
      : 0
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

async function claimRows(manager: EntityManager, claim: Claim): Promise<DBTaskResult[]> {
  const taken: DBTaskResult[] = []
  for (let look = 0; look < LOOKS && taken.length < claim.room; look++) {
    const candidates = await best(manager, claim, claim.room - taken.length)
    if (candidates.length === 0) break
    for (const entity of candidates) {
      const changes = afterClaim(entity, claim.wishes.workerId, claim.leaseSeconds)
      const { id, claims } = entity
      // Patience for each: to begin anew would leave those already taken to nobody.
      if (await patiently(() => update(manager, { id, claims, status: 'READY' }, changes)))
        taken.push(Object.assign(entity, changes))
    }
  }
  return taken
}

function best(
  manager: EntityManager,
  { wishes, backendName }: Claim,
  room: number,
): Promise<DBTaskResult[]> {
  const ready: Where = { status: 'READY', backendName, ...inQueues(wishes) }
  return manager.find(DBTaskResult, {
    where: [
      { ...ready, runAfter: LessThanOrEqual(new Date()) },
      { ...ready, runAfter: NO_DELAY },
    ],
    order: { priority: 'DESC', runAfter: 'ASC', enqueuedAt: 'ASC' },
    take: room,
  })
}

async function insertAll(session: Session, entities: readonly Changes[]): Promise<void> {
  if (entities.length <= INSERT_CHUNK) return write(session.manager, entities)
  await session.joined(async ({ manager }) => {
    for (const chunk of chunked(entities, INSERT_CHUNK)) await write(manager, chunk)
  })
}

async function insertUnlessTaken(
  { manager }: Session,
  entities: readonly Changes[],
): Promise<void> {
  for (const entity of entities) {
    const isTaken = async (): Promise<boolean> =>
      typeof entity.uniqueKey === 'string' &&
      (await manager.existsBy(DBTaskResult, { uniqueKey: entity.uniqueKey }))
    if (await isTaken()) continue
    try {
      await guarded(manager, (inside) => write(inside, [entity]))
    } catch (error) {
      if (!(await isTaken())) throw error
    }
  }
}

/** What fails in an open transaction would end it, save in a savepoint. */
function guarded(
  manager: EntityManager,
  work: (manager: EntityManager) => Promise<void>,
): Promise<void> {
  const { queryRunner } = manager
  return queryRunner?.isTransactionActive &&
    queryRunner.connection.driver.transactionSupport === 'nested'
    ? manager.transaction(work)
    : work(manager)
}

async function write(manager: EntityManager, entities: readonly Changes[]): Promise<void> {
  await manager
    .createQueryBuilder()
    .insert()
    .into(DBTaskResult)
    .values([...entities] as object[])
    .updateEntity(false)
    .callListeners(false)
    .execute()
}

/** Whether the row was as `where` says, and so was changed. */
async function update(manager: EntityManager, where: Where, changes: Changes): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .update(DBTaskResult)
    .set(changes as object)
    .where(where)
    .updateEntity(false)
    .callListeners(false)
    .execute()
  return (affected ?? 0) > 0
}

async function byKeys(manager: EntityManager, keys: readonly string[]): Promise<DBTaskResult[]> {
  const found: DBTaskResult[] = []
  for (const chunk of chunked(keys, LIST_CHUNK))
    found.push(...(await manager.findBy(DBTaskResult, { id: In(chunk) })))
  return found
}

function chunked<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  )
}
