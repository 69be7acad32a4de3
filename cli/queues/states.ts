import type * as listBrowser from '../../lib/browsing/list-browser'
import type { TaskBackend } from '../../lib/backend'
import type { Browser, Pause, QueueState } from '../../lib/browser'
import { backends } from '../../lib/backend-registry'
import { NotSupportedError } from '../../lib/errors/errors'

export interface QueueStates {
  readonly queues: readonly QueueState[]
  /** Why queues cannot be paused; null: they can. */
  readonly whyNoPauses: string | null
}

/** The queues of the settings, those that are paused or served, and those with tasks that are not finished. */
export async function queueStates(backend: TaskBackend): Promise<QueueStates> {
  const { servedBy } = backend
  return servedBy === null ? ownStates(backend) : statesOfAll(backend, servedBy)
}

/** Of a backend that stands on others: a queue is on all of them. */
async function statesOfAll(backend: TaskBackend, aliases: readonly string[]): Promise<QueueStates> {
  const shards = await Promise.all(aliases.map((alias) => ownStates(backends.get(alias))))
  const { pauses, whyNoPauses } = await pausesOf(backend)
  const byName = new Map<string, QueueState>()
  for (const state of shards.flatMap(({ queues }) => queues)) {
    const other = byName.get(state.name)
    byName.set(state.name, other ? together(other, state) : state)
  }
  const pauseOf = (name: string): Pause | null => pauses.find(({ queue }) => queue === name) ?? null
  const queues = [...byName.values()].map((each) => ({ ...each, paused: pauseOf(each.name) }))
  return { queues, whyNoPauses }
}

/** Undefined where there is no relay. */
function forRelayOf(a: QueueState, b: QueueState): Pick<QueueState, 'forRelay'> {
  if (a.forRelay === undefined && b.forRelay === undefined) return {}
  return { forRelay: (a.forRelay ?? 0) + (b.forRelay ?? 0) }
}

function together(a: QueueState, b: QueueState): QueueState {
  return {
    ...a,
    due: a.due + b.due,
    later: a.later + b.later,
    waiting: a.waiting + b.waiting,
    running: a.running + b.running,
    ...forRelayOf(a, b),
    oldestDueMs:
      a.oldestDueMs === null || b.oldestDueMs === null
        ? (a.oldestDueMs ?? b.oldestDueMs)
        : Math.max(a.oldestDueMs, b.oldestDueMs),
    // Served is what all of its shards have a worker for.
    isServed: a.isServed === null || b.isServed === null ? null : a.isServed && b.isServed,
  }
}

async function ownStates(backend: TaskBackend): Promise<QueueStates> {
  const browser = await browserOf(backend)
  try {
    const queues = await browser.queues()
    const { pauses, whyNoPauses } = await pausesOf(backend)
    // Lists do not tell of pauses.
    const pauseOf = ({ name, paused }: QueueState): Pause | null =>
      paused ?? pauses.find(({ queue }) => queue === name) ?? null
    return { queues: queues.map((each) => ({ ...each, paused: pauseOf(each) })), whyNoPauses }
  } finally {
    await browser.close()
  }
}

/** One that makes do with lists, where the backend has none of its own. */
async function browserOf(backend: TaskBackend): Promise<Browser> {
  try {
    return await backend.openBrowser()
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error
    const { ListBrowser } = require('../../lib/browsing/list-browser') as typeof listBrowser
    return new ListBrowser(backend)
  }
}

async function pausesOf(
  backend: TaskBackend,
): Promise<Pick<QueueStates, 'whyNoPauses'> & { readonly pauses: readonly Pause[] }> {
  try {
    return { pauses: await backend.pausedQueues(), whyNoPauses: null }
  } catch (error) {
    if (error instanceof NotSupportedError) return { pauses: [], whyNoPauses: error.message }
    throw error
  }
}
