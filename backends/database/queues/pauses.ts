import { DBTaskQueue } from '../../../entities/db-task-queue.entity'
import { anyInstantOf } from '../../../entities/formats'
import type { Pause, PauseOptions } from '../../../lib/browser'
import { InvalidSettingsError, NotSupportedError } from '../../../lib/errors/errors'
import { shown } from '../../../lib/errors/suggestions'
import { explained, isTaken } from '../connections/database-errors'
import { patiently, type Session } from '../connections/session'
import type { Dialect } from '../dialects/dialect'
import type { NamedTable, Table } from '../table'

/** The pauses of a backend, in the table of queues. */
export class Pauses {
  readonly #dialect: Dialect
  readonly #table: NamedTable
  readonly #backend: string
  readonly #text: string | undefined

  constructor(dialect: Dialect, table: NamedTable, backend: string) {
    this.#dialect = dialect
    this.#table = table
    this.#backend = backend
    const words = dialect.pauseWords
    this.#text =
      words &&
      `SELECT name, ${words.instantText('paused_at')} AS paused_at, ${words.instantText('paused_until')} AS paused_until, pause_reason
        FROM ${table.path} WHERE backend = :backend AND (paused_until IS NULL OR paused_until > ${words.now}) ORDER BY name`
  }

  /** Those that have not ended, by name. */
  async active(session: Session): Promise<readonly Pause[]> {
    return this.#explained(session, () =>
      this.#text === undefined ? this.#found(session) : this.#read(session, this.#text),
    )
  }

  /** `notifies`: tells workers of other processes, where the database can. */
  async pause(
    session: Session,
    name: string,
    { reason, until }: PauseOptions,
    notifies: boolean,
  ): Promise<Pause> {
    return this.#explained(session, async () => {
      const at = await this.#dialect.now(session)
      if (until && until <= at)
        throw new InvalidSettingsError(
          `Pause of the queue ${shown(name)}, until: expected a Date to come, found ${until.toISOString()}; by the database's clock it is ${at.toISOString()}.`,
          'Leave it out for a pause that lasts until the queue is resumed.',
        )
      const row = {
        backend: this.#backend,
        name,
        pausedAt: at,
        pausedUntil: until ?? null,
        pauseReason: reason ?? null,
      }
      await write(session, row)
      await this.#notify(session, name, notifies)
      return { queue: name, at, until: row.pausedUntil, reason: row.pauseReason }
    })
  }

  /** Resolves to false if the queue was not paused. */
  async resume(session: Session, name: string, notifies: boolean): Promise<boolean> {
    const isPaused = (await this.active(session)).some(({ queue }) => queue === name)
    return this.#explained(session, async () => {
      const { affected } = await session.manager.delete(DBTaskQueue, {
        backend: this.#backend,
        name,
      })
      const isResumed = isPaused && affected !== 0
      if (isResumed) await this.#notify(session, name, notifies)
      return isResumed
    })
  }

  async #read(session: Session, text: string): Promise<readonly Pause[]> {
    const { records } = await session.query(text, { backend: this.#backend })
    return records.map(({ name, paused_at, paused_until, pause_reason }) => ({
      queue: String(name),
      at: anyInstantOf(paused_at) ?? new Date(0),
      until: paused_until === null ? null : anyInstantOf(paused_until),
      reason: typeof pause_reason === 'string' ? pause_reason : null,
    }))
  }

  /** By TypeORM, and the clock of this process, as the portable dialect does all else. */
  async #found({ manager }: Session): Promise<readonly Pause[]> {
    const rows = await manager.find(DBTaskQueue, {
      where: { backend: this.#backend },
      order: { name: 'ASC' },
    })
    return rows
      .filter(({ pausedUntil }) => pausedUntil === null || pausedUntil.getTime() > Date.now())
      .map(({ name, pausedAt, pausedUntil, pauseReason }) => ({
        queue: name,
        at: pausedAt,
        until: pausedUntil,
        reason: pauseReason,
      }))
  }

  /** After the change, and not with it: what is not heard is found by looking. */
  async #notify(session: Session, name: string, notifies: boolean): Promise<void> {
    const text = this.#dialect.pauseWords?.notify
    if (text !== undefined && notifies) await session.query(text, { told: `pause ${name}` })
  }

  /** A deadlock has ended the transaction of a caller, and is theirs to try again. */
  async #explained<T>(session: Session, work: () => Promise<T>): Promise<T> {
    try {
      return await (session.isJoined ? work() : patiently(work))
    } catch (error) {
      throw explained(error, this.#table.name)
    }
  }
}

/** @throws NotSupportedError if the DataSource does not list the table. */
export function pausesOf(
  { dialect, table }: { readonly dialect: Dialect; readonly table: Table },
  backend: string,
): Pauses {
  if (table.queues) return new Pauses(dialect, table.queues, backend)
  throw new NotSupportedError(
    'The DataSource does not list the entity DBTaskQueue, so queues cannot be paused.',
    'Add it: `entities: [User, ...taskEntities]`, with `taskEntities` from "typeorm-tasks"; then run `npx tasks makemigrations` and the migration.',
  )
}

/** What a store asks about pauses; undefined where the DataSource does not list the table. */
export function pausedQueuesOn(
  session: Session,
  dialect: Dialect,
  { queues }: Pick<Table, 'queues'>,
  backend: string,
): (() => Promise<readonly Pause[]>) | undefined {
  if (!queues) return undefined
  const pauses = new Pauses(dialect, queues, backend)
  return () => pauses.active(session)
}

async function write({ manager }: Session, row: DBTaskQueue): Promise<void> {
  const { backend, name } = row
  if (manager.connection.driver.supportedUpsertTypes.length > 0)
    return void (await manager.upsert(DBTaskQueue, row, ['backend', 'name']))
  const { affected } = await manager.update(DBTaskQueue, { backend, name }, row)
  if (affected !== 0) return
  // Another one may have paused it since.
  await manager.insert(DBTaskQueue, row).catch((error: unknown) => {
    if (!isTaken(error)) throw error
  })
}
