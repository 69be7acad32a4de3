import { DBTaskResult } from '../../entities/db-task-result.entity'
import type { DatabaseBackend } from '../../backends/database/backend'
import { NO_DELAY, PARKED_UNTIL } from '../../entities/formats'
import { MOST_COUNTED, type Pause, type QueueState } from '../../lib/browser'
import { NotSupportedError } from '../../lib/errors/errors'

/** RUNNING tasks are searched for among so many, the newest: on most databases no index has them. */
const MOST_SEARCHED = 20_000

export interface QueueStates {
  readonly queues: readonly QueueState[]
  /** There are more READY tasks than were counted. */
  readonly isCut: boolean
  /** Why queues cannot be paused; null: they can. */
  readonly whyNoPauses: string | null
}

/** The queues of the settings, those that are paused, and those with READY tasks. */
export async function queueStates(backend: DatabaseBackend): Promise<QueueStates> {
  const { pauses, whyNoPauses } = await pausesOf(backend)
  const { ready, isCut } = await readyOf(backend)
  const names = new Set([
    ...backend.settings.queues,
    ...pauses.map(({ queue }) => queue),
    ...ready.map(({ queueName }) => queueName),
  ])
  const now = (await backend.now()).getTime()
  const queues: QueueState[] = []
  for (const name of [...names].toSorted()) {
    const own = ready.filter(({ queueName }) => queueName === name)
    const waiting = own.filter(({ isWaiting }) => isWaiting)
    const due = own.filter(({ dueAt }) => dueAt <= now)
    const { RUNNING: running } = await backend.counts({ queues: [name], within: MOST_SEARCHED })
    const paused = pauses.find(({ queue }) => queue === name) ?? null
    queues.push({
      name,
      due: due.length,
      later: own.length - due.length - waiting.length,
      waiting: waiting.length,
      running,
      oldestDueMs: null,
      paused,
      isServed: null,
    })
  }
  return { queues, isCut, whyNoPauses }
}

interface Ready {
  readonly queueName: string
  readonly dueAt: number
  readonly isWaiting: boolean
}

async function readyOf(backend: DatabaseBackend): Promise<{ ready: Ready[]; isCut: boolean }> {
  const dataSource = await backend.dataSource()
  const rows = await dataSource.getRepository(DBTaskResult).find({
    select: { id: true, queueName: true, runAfter: true },
    where: { status: 'READY', backendName: backend.alias },
    take: MOST_COUNTED,
  })
  return { ready: rows.map(readyOne), isCut: rows.length === MOST_COUNTED }
}

function readyOne({ queueName, runAfter }: DBTaskResult): Ready {
  const at = runAfter.getTime()
  const isWaiting = at === PARKED_UNTIL.getTime()
  return { queueName, dueAt: at === NO_DELAY.getTime() ? 0 : at, isWaiting }
}

async function pausesOf(
  backend: DatabaseBackend,
): Promise<{ pauses: readonly Pause[]; whyNoPauses: string | null }> {
  try {
    return { pauses: await backend.pausedQueues(), whyNoPauses: null }
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error
    return { pauses: [], whyNoPauses: error.message }
  }
}
