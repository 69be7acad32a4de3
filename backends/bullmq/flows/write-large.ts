import { clock } from '../../../lib/clock'
import { DatabaseError } from '../../../lib/errors/errors'
import type { Wakeup } from '../../../lib/store'
import { newId } from '../../ids'
import type { Connection } from '../connection'
import { addCall } from '../enqueueing/add-script'
import type { NewJob } from '../enqueueing/new-job'
import { toldWith } from '../enqueueing/told'
import type { Names } from '../names'
import { addJobs } from './add-jobs'
import { addMember, isParked, type Places } from './job-of-flow'
import { SHOW } from './show'
import { Transaction } from './transaction'

const PORTION = 1_000
/** How long in ms Redis keeps what nobody sees yet, in case this process dies: far more than it takes to write all. */
const KEPT_MS = 3_600_000

/**
 * Writes a flow that would keep Redis busy for too long. First all jobs, portion by portion, while nothing leads to them: they are
 * in no queue, and leave by themselves. Then one transaction puts them into their queues, which takes a fraction of the time.
 */
export async function writeLarge(connection: Connection, jobs: readonly NewJob[]): Promise<void> {
  const aside = connection.names.own('aside', newId())
  const begun = clock.now()
  const sets = new Set<string>()
  try {
    for (const portion of portionsOf(jobs)) await writeAside(connection, portion, { aside, sets })
    const ms = clock.now() - begun
    if (ms > KEPT_MS / 2)
      throw new DatabaseError(
        `Redis (TASKS.${connection.alias}) took ${Math.round(ms / 60_000)} minutes for the ${jobs.length} tasks of a flow, of which none was enqueued.`,
        'See what else keeps it busy, and enqueue the flow again.',
      )
  } catch (error) {
    await forget(connection, jobs, [...sets, aside, eventsOf(aside)])
    throw error
  }
  await show(connection, jobs, { aside, sets })
}

interface Unseen {
  /** Where BullMQ's script puts them, in place of a queue. */
  readonly aside: string
  /** The keys of the sets of which some are members. */
  readonly sets: Set<string>
}

async function writeAside(
  connection: Connection,
  jobs: readonly NewJob[],
  { aside, sets }: Unseen,
): Promise<void> {
  const places: Places = new Map()
  for (const job of jobs) addMember(connection.names, job, places)
  for (const key of places.keys()) sets.add(key)
  const instead = { index: aside, events: eventsOf(aside) }
  const calls = new Map(jobs.map((job) => [job, addCall(connection, job, { instead })]))
  await addJobs(connection, {
    calls,
    places,
    kept: { ms: KEPT_MS, others: Object.values(instead) },
  })
}

function eventsOf(aside: string): string {
  return `${aside}:events`
}

/** From here on the flow is there, or none of it. */
async function show(
  connection: Connection,
  jobs: readonly NewJob[],
  { aside, sets }: Unseen,
): Promise<void> {
  const { names } = connection
  const told = toldWith(
    connection,
    jobs.filter((job) => !isParked(job)),
  )
  const transaction = await Transaction.begin(connection, [])
  for (const alike of alikeOf(jobs))
    for (const portion of portionsOf(alike)) {
      const wakeup = portion.map((job) => told.get(job)).find((each) => each !== undefined)
      transaction.step('eval', SHOW, 1, names.ids, ...shown(names, portion, wakeup))
    }
  for (const key of sets) transaction.step('persist', key)
  transaction.step('unlink', aside, eventsOf(aside))
  await transaction.commit()
}

/** What SHOW takes for jobs that are alike. */
function shown(
  names: Names,
  jobs: readonly NewJob[],
  wakeup: Wakeup | undefined,
): (string | number)[] {
  const [first] = jobs
  if (!first) return []
  const message = wakeup ? JSON.stringify(wakeup) : ''
  return [
    names.prefix,
    first.queue,
    waitsIn(first),
    names.wakeups,
    message,
    ...jobs.flatMap((job) => [job.id, numberOf(job)]),
  ]
}

/** Jobs of one queue that wait in one way, in their order. */
function alikeOf(jobs: readonly NewJob[]): Iterable<readonly NewJob[]> {
  const groups = new Map<string, NewJob[]>()
  for (const job of jobs) {
    const name = `${waitsIn(job)}:${job.queue}`
    const group = groups.get(name)
    if (group) group.push(job)
    else groups.set(name, [job])
  }
  return groups.values()
}

type Options = { readonly delay?: number; readonly priority?: number }

/** The key of BullMQ in which it waits, as BullMQ chooses it. */
function waitsIn(job: NewJob): 'waiting-children' | 'delayed' | 'prioritized' | 'wait' {
  const { delay = 0, priority = 0 }: Options = job.json.opts
  if (isParked(job)) return 'waiting-children'
  if (delay > 0) return 'delayed'
  return priority > 0 ? 'prioritized' : 'wait'
}

/** Of which its place there is made. */
function numberOf(job: NewJob): number {
  const { timestamp, opts } = job.json
  const { delay = 0, priority = 0 }: Options = opts
  if (isParked(job)) return timestamp
  return delay > 0 ? timestamp + delay : priority
}

/** Nobody will ever see them, and memory may be what there is too little of. */
async function forget(
  { client, names }: Connection,
  jobs: readonly NewJob[],
  others: readonly string[],
): Promise<void> {
  const keys = [...jobs.map(({ id, queue }) => names.job(queue, id)), ...others]
  try {
    for (const portion of portionsOf(keys)) await client.unlink(...portion)
  } catch {
    // What is left leaves by itself.
  }
}

function portionsOf<T>(all: readonly T[]): (readonly T[])[] {
  const portions: (readonly T[])[] = []
  for (let at = 0; at < all.length; at += PORTION) portions.push(all.slice(at, at + PORTION))
  return portions
}
