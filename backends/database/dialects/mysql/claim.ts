import { keyAfterSql } from '../../../keys'
import type { ColumnName, TableColumn } from '../../../../entities/columns'
import { clock } from '../../../../lib/clock'
import type { Session } from '../../connections/session'
import type { Values } from '../../connections/statement'
import { type ClaimedRaw, MAX_CLAIMS } from '../../row'
import type { Claim, QueueFilter } from '../dialect'
import { mysqlNames } from '../names'
import { rowsOf } from '../plain-rows'
import { CLAIM_COLUMNS, perFilter, queueValues, selectList } from '../sql-text'
import { BY_KEY, instantText, leaseFrom, NO_DELAY, NOW, readSmall, WHOLE_OPTIONS } from './columns'

const CLAIMED_AT = 'CAST(:now AS DATETIME(6))'
/** The clock of the look may be behind that of an enqueue. */
const STARTED_AT = `GREATEST(${CLAIMED_AT}, t.enqueued_at)`
const CLAIMS = `LEAST(COALESCE(t.claims, 0), ${MAX_CLAIMS - 1}) + 1`
const WORKER_IDS = `CASE WHEN JSON_VALID(t.worker_ids) THEN JSON_ARRAY_APPEND(t.worker_ids, '$', :worker) ELSE JSON_ARRAY(t.worker_ids, :worker) END`

/** What a claim reads in a way of its own: mostly since it changes it, which is selected by the statement that locks the row, written by the next. */
const CHANGED: Readonly<Partial<Record<ColumnName, string>>> = {
  started_at: instantText(STARTED_AT),
  claims: CLAIMS,
  worker_ids: `CAST(${WORKER_IDS} AS CHAR)`,
  options: WHOLE_OPTIONS,
}
const CLAIMED = selectList(
  (column: TableColumn) => CHANGED[column.name] ?? readSmall(column),
  CLAIM_COLUMNS,
)

/** Above any priority, even one that was never checked. */
const ABOVE_ALL = 2 ** 31

/** Pauses in ms between claims while others have locked all that there is; each is longer than the one before. */
const FIRST_PAUSE_MS = 2
const LAST_PAUSE_MS = 100

/** What a look found at a priority. */
interface Found {
  readonly priority: number
  /** The instant of the look. */
  readonly now: string
  /** `run_after` of the first delayed row that is due; null: none is. */
  readonly due: string | null
  /** `enqueued_at` of the first undelayed row; null: there is none. */
  readonly undelayed: string | null
}

/** Where a claim goes on: below a priority, or with the undelayed rows of the next one. */
interface Position {
  readonly below: number
  readonly isPastDue: boolean
}

/** A range of rows to lock. */
interface Range {
  readonly condition: string
  readonly from: Values
}

/** Claims rows of one table. */
export class Claims {
  /** Which priority was last seen to come after which one. */
  readonly #guesses = new Map<number, number>()
  readonly #lookText: (filter: QueueFilter) => string
  readonly #lockText: (filter: QueueFilter, condition: string) => string
  readonly #holdText: string
  /** The last claim got all that it asked for. */
  #wasFull = false
  /** The last look before a claim found nothing. */
  #wasIdle = true

  constructor(path: string) {
    this.#lookText = perFilter((filter) => lookAt(path, filter))
    this.#lockText = (filter, condition) => lockRange(path, filter, condition)
    this.#holdText = `UPDATE ${path} t ${BY_KEY} SET t.status = 'RUNNING', t.started_at = ${STARTED_AT}, t.lease_until = ${leaseFrom(CLAIMED_AT)}, t.claims = ${CLAIMS},
      t.cancel_requested_at = NULL, t.unique_key = ${keyAfterSql('claim', 't.unique_key')}, t.worker_ids = ${WORKER_IDS} WHERE t.id IN (:keys)`
  }

  /**
   * While others claim, a worker skips what they have locked, and that may be all there is at the moment. Before it returns
   * without a row (a batch worker would end), it looks whether there is one, and tries again.
   */
  async claim(session: Session, claim: Claim): Promise<ClaimedRaw[]> {
    for (let pause = FIRST_PAUSE_MS; ; pause *= 1.5) {
      // No transaction is begun without a look, unless there was all that was asked for the last time.
      const found = this.#wasFull ? undefined : await this.#look(session, claim)
      const wasIdle = this.#wasIdle
      this.#wasIdle = found === null
      if (found === null) return []
      // An idle worker that is woken begins with what it has seen: the second look of an uncommitted read, which finds less
      // when others are at work, would be a seventh of its delay (0.5 ms).
      const rows = await this.#take(session, claim, wasIdle ? found : undefined)
      if (rows.length > 0 || pause > LAST_PAUSE_MS) return rows
      await clock.sleep(pause * (0.5 + Math.random()))
    }
  }

  /** From priority to priority, in each the due delayed rows and then the undelayed ones; see the PostgreSQL dialect for why. */
  async #take(session: Session, claim: Claim, seen: Found | undefined): Promise<ClaimedRaw[]> {
    const { limit } = claim
    const top = { below: ABOVE_ALL, isPastDue: false }
    let { rows, next } = await this.#step(session, claim, top, seen)
    try {
      while (
        next &&
        rows.length < limit &&
        (await this.#look(session, claim, next.below)) !== null
      ) {
        const rest = { ...claim, limit: limit - rows.length }
        const more = await this.#step(session, rest, next, undefined)
        rows = [...rows, ...more.rows]
        next = more.next
      }
    } catch (error) {
      // What is claimed by then must run; the next exchange will meet the error.
      if (rows.length === 0) throw error
    }
    this.#wasFull = rows.length === limit
    return rows
  }

  /**
   * Claims of one range, in a transaction with nothing else. A scan with SKIP LOCKED runs past its end while all that it comes
   * upon is locked, and locks the first row that is not. If its transaction scanned a second range, or wrote outcomes, others
   * could wait for it while it waits for them: both only pass by, but MariaDB takes them for deadlocked (measured: three times
   * in 60 drains of 40,000 rows by eight workers; that outcomes travel alone costs nothing that could be measured).
   */
  #step(
    session: Session,
    claim: Claim,
    { below, isPastDue }: Position,
    seen: Found | undefined,
  ): Promise<{ rows: ClaimedRaw[]; next: Position | null }> {
    return uncommitted(session, async (inside) => {
      const found = seen ?? (await this.#look(inside, claim, below))
      if (found === null) return { rows: [], next: null }
      const [range, ...further] = rangesOf(isPastDue ? { ...found, due: null } : found)
      const rows = range ? await this.#takeRange(inside, claim, found, range) : []
      const isMore = further.length > 0
      return { rows, next: { below: isMore ? below : found.priority, isPastDue: isMore } }
    })
  }

  async #takeRange(
    session: Session,
    { limit, filter, workerId, backendName, leaseSeconds }: Claim,
    { now, priority }: Found,
    { condition, from }: Range,
  ): Promise<ClaimedRaw[]> {
    const claimed = { now, worker: workerId }
    const rows = rowsOf<ClaimedRaw>(
      await session.query(this.#lockText(filter, condition), {
        ...claimed,
        ...from,
        priority,
        limit,
        backendName,
        ...queueValues(filter),
      }),
    )
    if (rows.length > 0) {
      const keys = rows.map((row) => row.row_key)
      await session.query(this.#holdText, { ...claimed, keys, leaseSeconds })
    }
    return rows
  }

  /** The highest priority below another at which there is something to run, for the most part by one statement. It locks nothing. */
  async #look(session: Session, claim: Claim, below = ABOVE_ALL): Promise<Found | null> {
    let guess = this.#guesses.get(below) ?? 0
    for (;;) {
      const { priority, ...found } = await this.#lookAt(session, claim, below, guess)
      if (priority === null) return null
      if (Number(priority) !== guess) this.#guesses.set(below, (guess = Number(priority)))
      else
        return found.due === null && found.undelayed === null
          ? this.#look(session, claim, guess)
          : { ...found, priority: guess }
    }
  }

  /** The next priority, and what there is at the guessed one. */
  async #lookAt(
    session: Session,
    { filter, backendName }: Claim,
    below: number,
    guess: number,
  ): Promise<Omit<Found, 'priority'> & { readonly priority: number | string | null }> {
    const values = { below, guess, backendName, ...queueValues(filter) }
    const { records } = await session.query(this.#lookText(filter), values)
    return records[0] as unknown as Found
  }
}

/**
 * In it a look sees that others have taken rows before they commit. A locking read that began with those would look up, for
 * each of them, who changed it (measured: 12 ms beside seven workers). What is locked and written is not concerned.
 */
function uncommitted<T>(session: Session, work: (inside: Session) => Promise<T>): Promise<T> {
  return session.transaction(work, 'READ UNCOMMITTED')
}

/** The next priority, and what there is at a guessed one: a condition that depended on the former would be looked up in all READY rows. */
function lookAt(path: string, filter: QueueFilter): string {
  const wanted = `FROM ${path} t WHERE t.status = 'READY' AND t.priority = :guess AND ${isWanted(filter)}`
  return `SELECT ${instantText(NOW)} AS now, (SELECT priority FROM ${path} WHERE status = 'READY' AND priority < :below ORDER BY priority DESC LIMIT 1) AS priority,
      (SELECT ${instantText('t.run_after')} ${wanted} AND t.run_after <= ${NOW} ORDER BY t.run_after LIMIT 1) AS due,
      (SELECT ${instantText('t.enqueued_at')} ${wanted} AND t.run_after = ${NO_DELAY} ORDER BY t.enqueued_at LIMIT 1) AS undelayed`
}

/**
 * In the order of the index, without a sort: what a locking read has to sort, it locks, every row of it. Status and delay are
 * ranges, though of one value: with equalities the read would begin where they do, and `undelayed` be compared row by row.
 */
function lockRange(path: string, filter: QueueFilter, condition: string): string {
  return `SELECT ${CLAIMED} FROM ${path} t
      WHERE t.status >= 'READY' AND t.status <= 'READY' AND t.priority = :priority AND ${condition} AND ${isWanted(filter)}
      ORDER BY t.status, t.run_after, t.enqueued_at LIMIT :limit FOR UPDATE SKIP LOCKED`
}

/**
 * The ranges to lock, each from the first row that was seen in it. Rows that were claimed shortly before are still in the index
 * before that, until the server purges them, and a locking read would walk over all of them, at each claim (measured: 10 ms
 * instead of 1, a second after a drain has begun). A range without rows is not locked at all.
 */
function rangesOf({ due, undelayed }: Found): Range[] {
  const ranges: Range[] = []
  if (due !== null)
    ranges.push({ condition: 't.run_after >= :due AND t.run_after <= :now', from: { due } })
  if (undelayed !== null)
    ranges.push({
      condition: `t.run_after >= ${NO_DELAY} AND t.run_after <= ${NO_DELAY} AND t.enqueued_at >= :undelayed`,
      from: { undelayed },
    })
  return ranges
}

/**
 * As expressions, and so hidden from the planner: Django has an index for each of them, and by one of those a locking read would lock all rows of
 * the backend and sort them. Statistics that lag behind are enough for that, and then a worker of Django meets a deadlock.
 */
function isWanted(filter: QueueFilter): string {
  return `${mysqlNames.isBackend}${mysqlNames.inQueues(filter)}`
}
