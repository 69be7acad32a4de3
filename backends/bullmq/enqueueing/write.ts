import { DatabaseError, DatabaseUnreachableError } from '../../../lib/errors/errors'
import type { Order } from '../../../lib/order'
import type { RawRow } from '../../database/row'
import type { Connection } from '../connection'
import { isAway } from '../clients/away'
import { letGo } from '../unique-keys'
import { explained } from '../errors'
import { type Chosen, chosenOf } from './chosen'
import { standingFor } from './holder'
import { type NewJob, newJobOf, newJobs } from './new-job'
import { type Answer, portionsOf, send, sendOne } from './send'

/** Attempts to have a key or find who holds it: of a hot key a holder may finish before each look. */
const ATTEMPTS = 100
/** Ranges of calls that an error names. */
const MOST_RANGES = 5
/** Portions under way at a time. */
const AT_ONCE = 3

export interface Written {
  /** The id that was to be written. */
  readonly of: string
  readonly id: string
  readonly taskName: string
  /** Made on demand: of many rows few are looked at. */
  readonly row: () => RawRow
  /** False where an earlier job stands in its place, which has the same key. */
  readonly isNew: boolean
}

/** The calls of one `enqueueMany` that are written, where others are not: their places, and how many there are in all. */
export interface Part {
  readonly places: readonly number[]
  readonly count: number
}

interface Writing {
  readonly alias: string
  /** For what an error says. */
  readonly part?: Part | undefined
  /** Called with what has been written, also if the rest cannot be. */
  readonly onWritten: (written: readonly Written[]) => void
}

/**
 * Writes orders as jobs, and gives what is written of each, in order: in one round trip, or in several where they are many.
 *
 * @throws DatabaseError that tells how many are written, where not all could be.
 */
export async function writeOrders(
  connection: Connection,
  orders: readonly { readonly order: Order; readonly id: string }[],
  { alias, part, onWritten }: Writing,
): Promise<readonly Written[]> {
  const jobs = newJobs(connection.names, orders, { alias, now: Date.now() })
  const byId = new Map<string, Written>()
  const chosen = chosenOf(jobs)
  let failed: { readonly reason: unknown } | undefined
  for await (const [portion, answers] of sent(connection, chosen.jobs, () => !failed)) {
    const standing = await standingIn(connection, portion, answers, alias)
    const written = portion.flatMap((job, i) =>
      answers[i] === job.id ? [ownOf(job)] : (standing.written.get(job) ?? []),
    )
    for (const each of written) byId.set(each.of, each)
    onWritten(written)
    failed ??= standing.failed
  }
  if (failed) {
    const reason = explained(failed.reason, connection.client, alias)
    throw failure(reason, { jobs, done: byId, chosen, part })
  }
  return jobs.flatMap((job) => {
    const by = chosen.insteadOf.get(job.id)
    const written = byId.get(by ?? job.id)
    if (!written) return []
    return [by === undefined || chosen.first.has(job.id) ? written : { ...written, isNew: false }]
  })
}

/** The same for one order, which most calls write: what is for several takes a fifth of the time of its enqueue (measured). */
export async function writeOrder(
  connection: Connection,
  order: { readonly order: Order; readonly id: string },
  alias: string,
): Promise<Written> {
  const job = newJobOf(connection.names, order, { alias, now: Date.now() })
  const holderId = await sendOne(connection, job)
  return holderId === job.id ? ownOf(job) : standsFor(connection, job, holderId, alias)
}

/** Portions with their answers, in order. Redis is at work on the next ones meanwhile; no more are sent once `mayGoOn` says no. */
async function* sent(
  connection: Connection,
  jobs: readonly NewJob[],
  mayGoOn: () => boolean,
): AsyncGenerator<[portion: readonly NewJob[], answers: readonly Answer[]]> {
  const portions = portionsOf(jobs)
  const underWay: [readonly NewJob[], Promise<Answer[]>][] = []
  for (;;) {
    while (underWay.length < AT_ONCE && portions.length > 0 && mayGoOn()) {
      const portion = portions.shift() ?? []
      underWay.push([portion, send(connection, portion)])
    }
    const [next] = underWay.splice(0, 1)
    if (!next) return
    yield [next[0], await next[1]]
  }
}

interface Standing {
  readonly written: ReadonlyMap<NewJob, Written>
  readonly failed: { readonly reason: unknown } | undefined
}

/** What stands for those whose answer is not their own id. */
async function standingIn(
  connection: Connection,
  jobs: readonly NewJob[],
  answers: readonly Answer[],
  alias: string,
): Promise<Standing> {
  const written = new Map<NewJob, Written>()
  let failed: Standing['failed']
  const others = jobs.flatMap((job, i) => (answers[i] === job.id ? [] : [{ job, at: i }]))
  await Promise.all(
    others.map(async ({ job, at }) => {
      try {
        const answer = answers[at]
        if (typeof answer !== 'string') throw answer?.reason
        written.set(job, await standsFor(connection, job, answer, alias))
      } catch (reason) {
        failed ??= { reason }
      }
    }),
  )
  return { written, failed }
}

function ownOf({ id, order, row }: NewJob): Written {
  return { of: id, id, taskName: order.task.name, row, isNew: true }
}

async function standsFor(
  connection: Connection,
  job: NewJob,
  holder: string,
  alias: string,
): Promise<Written> {
  const { id, order, key } = job
  const { name: taskName } = order.task
  let holderId = holder
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (holderId === id || key === null) return ownOf(job)
    const row = await standingFor(connection, { order, key }, holderId, alias)
    if (row) return { of: id, id: row.row_key, taskName, row: () => row, isNew: false }
    ;[, holderId] = await Promise.all([letGo(connection, key, holderId), sendOne(connection, job)])
  }
  throw new DatabaseError(
    `Task "${taskName}": the ${order.key?.kind} key "${order.key?.key}" was taken and free again ${ATTEMPTS} times during one enqueue; nothing was written.`,
    'Enqueue it again, or give more keys to so much work.',
  )
}

interface Failed {
  readonly jobs: readonly NewJob[]
  readonly done: ReadonlyMap<string, Written>
  readonly chosen: Chosen
  readonly part: Part | undefined
}

/** What is to be told of a call of which not all is written. */
function failure(cause: unknown, failed: Failed): unknown {
  const isMissing = missingOf(failed)
  const calls = isMissing.length
  const count = isMissing.filter((each) => !each).length
  if (calls === 1 || (count === 0 && !isAway(cause))) return cause
  const what = cause instanceof Error ? cause.message : String(cause)
  const Kind = isAway(cause) ? DatabaseUnreachableError : DatabaseError
  return new Kind(
    `${count} of ${calls} tasks of one enqueueMany are enqueued; then Redis failed: ${what}`,
    `Enqueue the others again: ${rangesOf(isMissing)}; of these some may have been written${isAway(cause) ? ', since the answer was lost' : ''}.`,
    { cause },
  )
}

/** Of each call whether it is not enqueued. */
function missingOf({ jobs, done, chosen, part }: Failed): readonly boolean[] {
  const isDone = ({ id }: NewJob): boolean => done.has(chosen.insteadOf.get(id) ?? id)
  if (!part) return jobs.map((job) => !isDone(job))
  const isMissing = Array<boolean>(part.count).fill(false)
  for (const [i, job] of jobs.entries()) isMissing[part.places[i] ?? i] = !isDone(job)
  return isMissing
}

/** Portions are under way side by side, so that one in the middle may have failed. */
function rangesOf(isMissing: readonly boolean[]): string {
  const ranges: string[] = []
  for (let at = 0; at < isMissing.length; at += 1) {
    if (!isMissing[at]) continue
    const end = isMissing.indexOf(false, at)
    const last = (end === -1 ? isMissing.length : end) - 1
    ranges.push(last === at ? `calls[${at}]` : `calls[${at}] to calls[${last}]`)
    at = last
  }
  const more = ranges.length - MOST_RANGES
  return ranges.slice(0, MOST_RANGES).join(', ') + (more > 0 ? ` and ${more} more such ranges` : '')
}
