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
  /** How long ago, in ms, each worker was seen, by its id; whatever its backend. Reads every column, which shows that they are there. */
  ages(session: Session): Promise<ReadonlyMap<string, number>>
}

/** After so many leases no row can have a lease of that worker: even one that it claimed just before it was lost had a lease of one. */
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
  readonly ages: string
}

/** The condition for a record that was not seen for so many leases. `agoMs`: the expression for how long ago, in ms, it was. */
export function isOlder(agoMs: string, leases: number): string {
  return `${agoMs} > ${leases} * lease_ms`
}

/** The texts that are alike in all dialects. */
export function recordTexts(path: string, agoMs: string): Omit<RecordTexts, 'beat' | 'look'> {
  const names = WORKER_COLUMNS.map(({ name }) => name).join(', ')
  return {
    leave: `DELETE FROM ${path} WHERE id = :id`,
    forget: `DELETE FROM ${path} WHERE backend = :backend AND ${isOlder(agoMs, OUTDATED_LEASES)}`,
    ages: `SELECT ${names}, ${agoMs} AS ago_ms FROM ${path}`,
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

  async ages(session: Session): Promise<ReadonlyMap<string, number>> {
    const { records } = await session.query(this.#texts.ages)
    return new Map(records.map((record) => [String(record['id']), Number(record['ago_ms'])]))
  }
}

function countsOf({ records }: Answer): ExpiredRecords {
  const { expired, outdated } = records[0] ?? {}
  return { expired: Number(expired ?? 0), outdated: Number(outdated ?? 0) }
}
