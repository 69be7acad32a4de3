import { WORKER_COLUMNS } from '../../../entities/worker-columns'
import type { Session } from '../connections/session'
import type { Answer } from '../connections/statement'

/** The values of a worker's record, by the properties of its entity. Its instants are the database's. */
export interface RecordValues {
  readonly id: string
  readonly backend: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** JSON text. */
  readonly queues: string
  readonly concurrency: number
  readonly running: number
  /** Milliseconds since it started. */
  readonly upMs: number
  readonly leaseMs: number
  readonly eventLoopDelayMs: number
  readonly rssMib: number
}

/** How many records of other workers of the backend have expired, by the database's clock. */
export interface ExpiredRecords {
  /** Not seen for a whole lease. */
  readonly expired: number
  /** Not seen for three: no row can have a lease of theirs any more. They are counted as expired, too. */
  readonly outdated: number
}

/** What backend and store do with the table of workers. */
export interface WorkerRecords {
  /** Writes or renews a record. */
  beat(session: Session, values: RecordValues): Promise<ExpiredRecords>
  leave(session: Session, id: string): Promise<void>
  /** Deletes the outdated records of a backend. */
  forget(session: Session, backend: string): Promise<void>
  /** The ids of all records that have expired, whatever their backend. Reads every column, which shows that they are there. */
  expiredIds(session: Session): Promise<ReadonlySet<string>>
}

/** After so many leases nothing can depend on a record any more: rows that were claimed with the last of its breath had a lease of one. */
export const OUTDATED_LEASES = 3

/** What a heartbeat changes; the rest of a record stays as it began. */
const RENEWED = ['running', 'seen_at', 'event_loop_delay_ms', 'rss_mib'] as const
type Renewed = (typeof RENEWED)[number]
type ByDatabase = 'started_at' | 'seen_at'

/** The INSERT, `own` with what the dialect says in its own way, and what it does to a record that is there. */
export function insertRecord(
  path: string,
  own: Readonly<Record<ByDatabase, string> & { queues?: string }>,
): string {
  const names = WORKER_COLUMNS.map(({ name }) => name).join(', ')
  const values = WORKER_COLUMNS.map(({ name, property }) =>
    name === 'queues' || name === 'started_at' || name === 'seen_at'
      ? (own[name] ?? `:${property}`)
      : `:${property}`,
  )
  return `INSERT INTO ${path} (${names}) VALUES (${values.join(', ')})`
}

/** The assignments of a heartbeat. */
export function renewal(valueOf: (name: Renewed) => string): string {
  return RENEWED.map((name) => `${name} = ${valueOf(name)}`).join(', ')
}

export interface RecordTexts {
  readonly beat: string
  /** Counts the expired records, where `beat` cannot in the same statement. */
  readonly look?: string
  readonly leave: string
  readonly forget: string
  readonly expiredIds: string
}

/** The texts that are alike in all dialects. `isOlder`: the condition for a record that was not seen for so many leases. */
export function recordTexts(
  path: string,
  isOlder: (leases: number) => string,
): Omit<RecordTexts, 'beat' | 'look'> {
  const names = WORKER_COLUMNS.map(({ name }) => name).join(', ')
  return {
    leave: `DELETE FROM ${path} WHERE id = :id`,
    forget: `DELETE FROM ${path} WHERE backend = :backend AND ${isOlder(OUTDATED_LEASES)}`,
    expiredIds: `SELECT ${names} FROM ${path} WHERE ${isOlder(1)}`,
  }
}

/** The verbs by statements. */
export class SqlWorkerRecords implements WorkerRecords {
  readonly #texts: RecordTexts

  constructor(texts: RecordTexts) {
    this.#texts = texts
  }

  async beat(session: Session, values: RecordValues): Promise<ExpiredRecords> {
    const { beat, look } = this.#texts
    const answer = await session.query(beat, { ...values })
    if (look === undefined) return countsOf(answer)
    return countsOf(await session.query(look, { id: values.id, backend: values.backend }))
  }

  async leave(session: Session, id: string): Promise<void> {
    await session.query(this.#texts.leave, { id })
  }

  async forget(session: Session, backend: string): Promise<void> {
    await session.query(this.#texts.forget, { backend })
  }

  async expiredIds(session: Session): Promise<ReadonlySet<string>> {
    const { records } = await session.query(this.#texts.expiredIds)
    return new Set(records.map(({ id }) => String(id)))
  }
}

function countsOf({ records }: Answer): ExpiredRecords {
  const { expired, outdated } = records[0] ?? {}
  return { expired: Number(expired ?? 0), outdated: Number(outdated ?? 0) }
}
