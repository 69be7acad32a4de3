import { clock } from '../../../../lib/clock'
import type { Claim } from '../dialect'
import type { ClaimedRaw } from '../../row'
import type { Session } from '../../connections/session'
import { queueFilter, queueValues } from '../sql-dialect'
import type { Values } from '../../connections/statement'
import { BY_KEY, instants, KEY, leaseFrom, NO_DELAY, NOW, texts, told } from './columns'

/** What a run needs to know of its row, as the claim leaves it. */
const READ = `${KEY}, t.priority, t.task_path, t.queue_name, t.backend_name, ${texts('args_kwargs', 'attempt_errors', 'progress', 'options')}, ${instants('run_after', 'enqueued_at')}`

/** What the claim makes of a row: told by the statement that locks it, written by the next. The clock of the look may be behind that of an enqueue. */
const STARTED_AT = 'GREATEST(CAST(:now AS DATETIME(6)), t.enqueued_at)'
const CLAIMS = 'COALESCE(t.claims, 0) + 1'
const WORKER_IDS = `CASE WHEN JSON_VALID(t.worker_ids) THEN JSON_ARRAY_APPEND(t.worker_ids, '$', :worker) ELSE JSON_ARRAY(t.worker_ids, :worker) END`
const MADE = `${told(STARTED_AT)} AS started_at, ${CLAIMS} AS claims, CAST(${WORKER_IDS} AS CHAR) AS worker_ids`

/** More than any priority, also those that nobody checked. */
const ABOVE_ALL = 2 ** 31 - 1

/** A worker that was passed by asks again after so many milliseconds, then ever later, until the last. */
const [FIRST_PAUSE, LAST_PAUSE] = [2, 100]

/** A table, and what was seen of it the last time: which priority came after which one. */
export interface At {
  readonly path: string
  readonly guesses: Map<number, number>
  /** The last claim had all that it asked for. */
  wasFull: boolean
}

/** What was seen of a priority. */
interface Level {
  readonly priority: number
  /** When that was. */
  readonly now: string
  /** When the first of the delayed rows was due that are due. */
  readonly due: string | null
  /** When the first of the undelayed rows was enqueued. */
  readonly undelayed: string | null
}

type Range = readonly [sql: string, from: Values]

type Seen = Omit<Level, 'priority'> & { readonly priority: number | string | null }

/** How far a claim has come: it goes on below a priority, or with the undelayed rows of the next. */
interface Spot {
  readonly below: number
  readonly isPastDue: boolean
}

/**
 * While others claim, a worker passes over what they have locked, and that may be all there is at the moment. Before it
 * goes away with empty hands (a batch would end), it looks whether that is so.
 */
export async function claimPatiently(
  session: Session,
  at: At,
  claim: Claim,
): Promise<ClaimedRaw[]> {
  for (let pause = FIRST_PAUSE; ; pause *= 1.5) {
    if (!(await isWorthwhile(session, at, claim))) return []
    const rows = await take(session, at, claim)
    if (rows.length > 0 || pause > LAST_PAUSE) return rows
    await clock.sleep(pause * (0.5 + Math.random()))
  }
}

/** Whether to begin a transaction: not before a look, unless there was all that was asked for the last time. */
async function isWorthwhile(session: Session, at: At, claim: Claim): Promise<boolean> {
  return at.wasFull || (await look(session, at, claim)) !== null
}

/** From priority to priority, in each the due delayed rows and then the undelayed ones; see the PostgreSQL dialect for why. */
async function take(session: Session, at: At, claim: Claim): Promise<ClaimedRaw[]> {
  let { rows, next } = await step(session, at, claim, { below: ABOVE_ALL, isPastDue: false })
  try {
    while (
      next &&
      rows.length < claim.room &&
      (await look(session, at, claim, next.below)) !== null
    ) {
      const more = await step(session, at, { ...claim, room: claim.room - rows.length }, next)
      rows = [...rows, ...more.rows]
      next = more.next
    }
  } catch (error) {
    // What is claimed by then must run; the next exchange will tell of what is amiss.
    if (rows.length === 0) throw error
  }
  at.wasFull = rows.length === claim.room
  return rows
}

/**
 * Claims of one range, in a transaction with nothing else. A scan with SKIP LOCKED runs past its end while all that it comes
 * upon is locked, and locks the first row that is not. Did its transaction scan a second range, or write outcomes, others could
 * wait for it while it waits for them: both only pass by, but MariaDB takes them for deadlocked (measured: three times in 60
 * drains of 40,000 rows by eight workers; an outcome that travels alone costs nothing that could be measured).
 */
function step(
  session: Session,
  at: At,
  claim: Claim,
  { below, isPastDue }: Spot,
): Promise<{ rows: ClaimedRaw[]; next: Spot | null }> {
  return uncommitted(session, async (inside) => {
    const level = await look(inside, at, claim, below)
    if (level === null) return { rows: [], next: null }
    const [range, ...further] = rangesOf(isPastDue ? { ...level, due: null } : level)
    const rows = range ? await takeOf(inside, at.path, claim, level, range) : []
    return {
      rows,
      next:
        further.length > 0
          ? { below, isPastDue: true }
          : { below: level.priority, isPastDue: false },
    }
  })
}

/**
 * In it a look sees that others have taken rows before they commit. A locking read that began with those would look up, for
 * each of them, who changed it (measured: 12 ms beside seven workers). What is locked and written is not concerned.
 */
function uncommitted<T>(session: Session, work: (inside: Session) => Promise<T>): Promise<T> {
  return session.transaction(work, 'READ UNCOMMITTED')
}

async function takeOf(
  session: Session,
  path: string,
  claim: Claim,
  { now, priority }: Level,
  [range, from]: Range,
): Promise<ClaimedRaw[]> {
  const started = { now, worker: claim.wishes.workerId }
  const rows = await lock(session, path, claim, range, {
    ...started,
    ...from,
    priority,
    room: claim.room,
  })
  if (rows.length > 0)
    await hold(session, path, claim, { ...started, keys: rows.map((row) => row.row_key) })
  return rows
}

async function hold(
  session: Session,
  path: string,
  { leaseSeconds }: Claim,
  values: Values,
): Promise<void> {
  await session.query(
    `UPDATE ${path} t ${BY_KEY} SET t.status = 'RUNNING', t.started_at = ${STARTED_AT}, t.lease_until = ${leaseFrom('CAST(:now AS DATETIME(6))')}, t.claims = ${CLAIMS},
      t.cancel_requested_at = NULL, t.worker_ids = ${WORKER_IDS} WHERE t.id IN (:keys)`,
    { ...values, leaseSeconds },
  )
}

/** The highest priority below another at which there is something to run, for the most part by one statement. It locks nothing. */
async function look(
  session: Session,
  at: At,
  claim: Claim,
  below = ABOVE_ALL,
): Promise<Level | null> {
  let guess = at.guesses.get(below) ?? 0
  for (;;) {
    const { priority, ...level } = await lookAt(session, at.path, claim, below, guess)
    if (priority === null) return null
    if (Number(priority) !== guess) at.guesses.set(below, (guess = Number(priority)))
    else
      return level.due === null && level.undelayed === null
        ? look(session, at, claim, guess)
        : { ...level, priority: guess }
  }
}

/** Which priority comes next, and what there is at the one that is guessed to. A condition that depended on the former would be looked up in all READY rows. */
async function lookAt(
  session: Session,
  path: string,
  claim: Claim,
  below: number,
  guess: number,
): Promise<Seen> {
  const wanted = `FROM ${path} t WHERE t.status = 'READY' AND t.priority = :guess AND ${isWanted(claim)}`
  const { records } = await session.query(
    `SELECT ${told(NOW)} AS now, (SELECT priority FROM ${path} WHERE status = 'READY' AND priority < :below ORDER BY priority DESC LIMIT 1) AS priority,
      (SELECT ${told('t.run_after')} ${wanted} AND t.run_after <= ${NOW} ORDER BY t.run_after LIMIT 1) AS due,
      (SELECT ${told('t.enqueued_at')} ${wanted} AND t.run_after = ${NO_DELAY} ORDER BY t.enqueued_at LIMIT 1) AS undelayed`,
    { below, guess, backendName: claim.backendName, ...queueValues(claim.wishes) },
  )
  return records[0] as unknown as Seen
}

/**
 * The ranges to lock, each from the first row that was seen to stand in it. What has been claimed of late is still in the index
 * before that, until the server clears it away, and a locking read would walk over all of it, at each claim (measured: 10 ms in
 * place of 1, a second after a drain has begun). A range without rows is not locked at all.
 */
function rangesOf({ due, undelayed }: Level): Range[] {
  const ranges: Range[] = []
  if (due !== null) ranges.push(['t.run_after >= :due AND t.run_after <= :now', { due }])
  if (undelayed !== null)
    ranges.push([
      `t.run_after >= ${NO_DELAY} AND t.run_after <= ${NO_DELAY} AND t.enqueued_at >= :undelayed`,
      { undelayed },
    ])
  return ranges
}

/**
 * In the order of the index, without a sort: what a locking read has to sort, it locks, every row of it. Status and delay are
 * ranges, though of one value: with equalities the read would begin where they do, and `undelayed` be looked at row by row.
 */
async function lock(
  session: Session,
  path: string,
  claim: Claim,
  range: string,
  values: Values,
): Promise<ClaimedRaw[]> {
  const { records } = await session.query(
    `SELECT ${READ}, ${MADE} FROM ${path} t
      WHERE t.status >= 'READY' AND t.status <= 'READY' AND t.priority = :priority AND ${range} AND ${isWanted(claim)}
      ORDER BY t.status, t.run_after, t.enqueued_at LIMIT :room FOR UPDATE SKIP LOCKED`,
    { ...values, backendName: claim.backendName, ...queueValues(claim.wishes) },
  )
  return records as unknown as ClaimedRaw[]
}

/**
 * Hidden from the planner: Django has an index for each of them, and by one of those a locking read would lock all rows of
 * the backend and sort them. Statistics that lag behind are enough for that, and a worker of Django comes to a deadlock.
 */
function isWanted({ wishes }: Claim): string {
  return `CONCAT(t.backend_name, '') = :backendName${queueFilter(wishes, "CONCAT(t.queue_name, '')")}`
}
