import type { Heartbeat, WorkerRecord } from '../../../lib/store'
import { explained } from '../connections/database-errors'
import { patiently, type Session } from '../connections/session'
import type { Sessions } from '../connections/worker-connections'
import type { Dialect } from '../dialects/dialect'
import type { WorkerRecords } from '../dialects/worker-records'
import type { NamedTable } from '../table'

interface HeartbeatSettings {
  /** The name of the table of workers, as errors show it. */
  readonly tableName: string
  readonly backendName: string
  readonly leaseSeconds: number
}

/** Undefined where the DataSource does not list the table. */
export function heartbeatOn(
  { renewal }: Sessions,
  dialect: Dialect,
  workers: NamedTable | undefined,
  settings: Omit<HeartbeatSettings, 'tableName'>,
): Heartbeat | undefined {
  if (!workers) return undefined
  const records = dialect.workerRecords(workers.path)
  return new DatabaseHeartbeat(renewal, records, { ...settings, tableName: workers.name })
}

/** The records of workers in a table of the app's database. */
class DatabaseHeartbeat implements Heartbeat {
  readonly #session: Session
  readonly #records: WorkerRecords
  readonly #settings: HeartbeatSettings

  constructor(session: Session, records: WorkerRecords, settings: HeartbeatSettings) {
    this.#session = session
    this.#records = records
    this.#settings = settings
  }

  /** Deletes outdated records of others, too. */
  async beat({ queues, ...worker }: WorkerRecord): Promise<boolean> {
    const { backendName: backend, leaseSeconds } = this.#settings
    const values = {
      ...worker,
      queues: JSON.stringify(queues),
      backend,
      leaseMs: leaseSeconds * 1000,
    }
    const { expired, outdated } = await this.#ask(() => this.#records.beat(this.#session, values))
    if (outdated > 0) await this.#ask(() => this.#records.forget(this.#session, backend))
    return expired > 0
  }

  async leave(id: string): Promise<void> {
    await this.#ask(() => this.#records.leave(this.#session, id))
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await patiently(work)
    } catch (error) {
      throw explained(error, this.#settings.tableName)
    }
  }
}
