import { NotSupportedError, type TaskBackend } from '../../../index'
import type { QueueState } from '../../../lib/browser'
import { inTime } from '../../../lib/clock'
import { isTold, problemOf } from '../answer'
import { type Asked, browserOf, type Reading } from '../asked'
import { parametersIn } from '../query'
import { iso } from '../views'
import type { BackendView, Overview, Problem, QueueView } from '../wire'

/** What every page needs. A backend that is away keeps nobody from seeing the others. */
export function overviewRoute(asked: Asked): Reading {
  parametersIn(asked.search, {})
  const { page, access } = asked
  return async (): Promise<Overview> => {
    const backends = [...page.backends().values()].map((backend) => backendOf(asked, backend))
    return {
      title: page.title,
      environment: page.environment,
      now: iso(new Date()),
      permissions: [...access],
      backends: await Promise.all(backends),
    }
  }
}

async function backendOf(asked: Asked, backend: TaskBackend): Promise<BackendView> {
  const { alias } = backend
  try {
    const queues = await (await browserOf(asked, backend)).queues()
    return { alias, queues: queues.map(queueOf), problem: null, noPauses: await noPauses(backend) }
  } catch (error) {
    if (!isTold(error)) asked.page.report(error)
    return { alias, queues: null, problem: problemOf(error), noPauses: null }
  }
}

/** Of backends that were asked: what they list does not change while the process runs. */
const known = new WeakMap<TaskBackend, Promise<Problem | null>>()
/** Asking may need a connection of the app's, which may have none free: for so many ms it is waited for. */
const PATIENCE_MS = 300

async function noPauses(backend: TaskBackend): Promise<Problem | null> {
  const asking = known.get(backend) ?? askForPauses(backend)
  known.set(backend, asking)
  return inTime(asking, PATIENCE_MS).catch(() => null)
}

/** Any other trouble is for whoever pauses a queue to hear of. */
async function askForPauses(backend: TaskBackend): Promise<Problem | null> {
  try {
    await backend.pausedQueues()
    return null
  } catch (error) {
    return error instanceof NotSupportedError ? problemOf(error) : null
  }
}

function queueOf({ paused, ...queue }: QueueState): QueueView {
  if (!paused) return { ...queue, paused: null }
  const { at, until, reason } = paused
  return { ...queue, paused: { at: iso(at), until: iso(until), reason } }
}
