import { instantOf } from '../../../entities/formats'
import { MOST_COUNTED, type Pause, type QueueState, type WorkerState } from '../../../lib/browser'
import type { Values } from '../connections/statement'
import type { Sight } from './sight'

/** READY rows that are counted. */
const LOOK = 200_000
/** Rows that are looked at for those that are RUNNING, where no index has these: the newest, and around the next to be claimed. */
const NEWEST = 50_000
const AROUND = 20_000

export interface Beside {
  /** What the settings name. */
  readonly names: readonly string[]
  readonly pauses: readonly Pause[]
  readonly workers: readonly WorkerState[] | null
}

type ReadyState = 'DUE' | 'LATER' | 'WAITING'

interface ReadyRow {
  readonly queue: string | null
  readonly state: ReadyState
  readonly n: number | string
  readonly since: string | null
}

/** What is counted of one queue. */
interface Tally {
  due: number
  later: number
  waiting: number
  running: number
  since: number | null
}

const PLACES = { DUE: 'due', LATER: 'later', WAITING: 'waiting' } as const

/**
 * The queues by their names. Rows that have finished are not counted. Of very many READY ones 200,000 are, so that a queue may
 * have more than it is told with, where others have more than that.
 */
export async function queueStates(
  sight: Sight,
  { names, pauses, workers }: Beside,
  now: Date,
): Promise<QueueState[]> {
  const tallies = new Map<string, Tally>()
  const all = [...names, ...pauses.map(({ queue }) => queue), ...servedNames(workers)]
  for (const name of all) tallyOf(tallies, name)
  addReady(tallies, await readyRows(sight))
  for (const name of await runningQueues(sight)) tallyOf(tallies, name).running++
  return [...tallies.keys()].toSorted().map((name) => ({
    ...stateOf(tallyOf(tallies, name), now),
    name,
    paused: pauses.find(({ queue }) => queue === name) ?? null,
    isServed: workers && workers.some((worker) => !worker.isGone && serves(worker, name)),
  }))
}

/** Whether a worker takes tasks of a queue. */
export function serves({ queues }: Pick<WorkerState, 'queues'>, name: string): boolean {
  return queues[0] === '*' ? !queues.includes(`-${name}`) : queues.includes(name)
}

function servedNames(workers: readonly WorkerState[] | null): string[] {
  return (workers ?? [])
    .filter(({ isGone, queues }) => !isGone && queues[0] !== '*')
    .flatMap(({ queues }) => queues)
}

function stateOf({ since, due, later, waiting, running }: Tally, now: Date) {
  const counts = { due: most(due), later: most(later), waiting: most(waiting) }
  const oldestDueMs = since === null ? null : Math.max(0, now.getTime() - since)
  return { ...counts, running: most(running), oldestDueMs }
}

function most(count: number): number {
  return Math.min(count, MOST_COUNTED)
}

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  const known = tallies.get(name) ?? { due: 0, later: 0, waiting: 0, running: 0, since: null }
  tallies.set(name, known)
  return known
}

function addReady(tallies: Map<string, Tally>, rows: readonly ReadyRow[]): void {
  for (const { queue, state, n, since } of rows) {
    const tally = tallyOf(tallies, queue ?? '')
    tally[PLACES[state]] += Number(n)
    const at = state === 'DUE' && since !== null ? instantOf(since)?.getTime() : undefined
    if (at !== undefined) tally.since = Math.min(tally.since ?? at, at)
  }
}

function readyRows(sight: Sight): Promise<ReadyRow[]> {
  const { asking, backendName, exactly, isBackend, path, words } = sight
  const { instantText, noDelay, now, parked } = words
  const state = `CASE WHEN t.run_after = ${parked} THEN 'WAITING' WHEN t.run_after = ${noDelay} OR t.run_after <= ${now} THEN 'DUE' ELSE 'LATER' END`
  const since = `CASE WHEN t.run_after = ${noDelay} THEN t.enqueued_at ELSE t.run_after END`
  const text = `SELECT queue, state, COUNT(*) AS n, ${instantText('MIN(since)')} AS since
    FROM (SELECT ${exactly('t.queue_name')} AS queue, ${state} AS state, ${since} AS since FROM ${path} t
      WHERE t.status = 'READY' AND ${isBackend} LIMIT ${LOOK}) r GROUP BY queue, state`
  return asking.rows<ReadyRow>(text, { backend: backendName })
}

interface RunningRow {
  readonly row_key: string
  readonly queue: string | null
}

/** The queue of each RUNNING row that is met. */
async function runningQueues(sight: Sight): Promise<string[]> {
  const { words, isOurs } = sight
  const looks = words.indexesRunning || !isOurs ? [everywhere(sight)] : await stretches(sight)
  const found = new Map<string, string>()
  for (const { text, values } of looks)
    for (const { row_key, queue } of await sight.asking.rows<RunningRow>(text, values))
      found.set(row_key, queue ?? '')
  return [...found.values()]
}

interface Look {
  readonly text: string
  readonly values: Values
}

function runningLook({ backendName, exactly, isBackend, words }: Sight, from: string): Look {
  const text = `SELECT ${words.key('t.id')} AS row_key, ${exactly('t.queue_name')} AS queue FROM ${from} t
    WHERE t.status = 'RUNNING' AND ${isBackend} LIMIT ${MOST_COUNTED}`
  return { text, values: { backend: backendName } }
}

function everywhere(sight: Sight): Look {
  return runningLook(sight, sight.path)
}

/** Rows run in about the order in which they were enqueued: those that do are before the next to be claimed, or are new. */
async function stretches(sight: Sight): Promise<Look[]> {
  const columns = 't.id, t.status, t.queue_name, t.backend_name'
  const part = (where: string, order: string, rows: number, values: Values = {}): Look => {
    const inner = `(SELECT ${columns} FROM ${sight.path} t ${where} ORDER BY t.id ${order} LIMIT ${rows})`
    const look = runningLook(sight, inner)
    return { ...look, values: { ...look.values, ...values } }
  }
  const newest = part('', 'DESC', NEWEST)
  const next = await nextReady(sight)
  if (next === undefined) return [newest]
  return [
    newest,
    part('WHERE t.id < :next', 'DESC', AROUND, { next }),
    part('WHERE t.id >= :next', 'ASC', AROUND, { next }),
  ]
}

/** About the row that is claimed next, by the index. */
async function nextReady({ asking, path, words }: Sight): Promise<string | undefined> {
  const text = `SELECT ${words.key('t.id')} AS row_key FROM ${path} t
    WHERE t.status = 'READY' AND t.priority = (SELECT MAX(m.priority) FROM ${path} m WHERE m.status = 'READY' AND m.run_after <> ${words.parked})
    ORDER BY t.run_after, t.enqueued_at LIMIT 1`
  return (await asking.rows<Pick<RunningRow, 'row_key'>>(text))[0]?.row_key
}
