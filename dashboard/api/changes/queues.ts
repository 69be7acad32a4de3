import { InvalidSettingsError, shown, type TaskBackend, UsageError } from '../../../index'
import { json } from '../answer'
import { chosen } from '../asked'
import { brief, name, parametersIn } from '../query'
import { type ChangeRoute, type Changing, recordIn } from './change'

const QUEUE = name(32)
const MOST_REASON = 200
const YEAR_MS = 366 * 86_400_000

/** `POST queues/:name/pause` and `resume`. */
export function queueChange(queue: string, change: string): ChangeRoute | undefined {
  const work = change === 'pause' ? pause : change === 'resume' ? resume : undefined
  if (!work) return undefined
  return {
    needs: 'queues',
    answer: async (changing, body) => {
      const { backend: alias } = parametersIn(changing.search, { backend: QUEUE })
      if (QUEUE.read(queue) === undefined)
        throw new UsageError(`${brief(queue)} is no queue.`, `Expected is ${QUEUE.expected}.`)
      const backend = chosen(changing, alias)
      await asUsage(() => work(backend, queue, body))
      await told(changing, backend, change as 'pause' | 'resume', queue)
      return json(200, {})
    },
  }
}

/** A queue that cannot be paused, or a wrong reason, is the fault of who asks. */
async function asUsage(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error
    throw new UsageError(error.what, error.hint, { cause: error })
  }
}

async function pause(backend: TaskBackend, queue: string, body: unknown): Promise<void> {
  const { reason, forMs } = pauseIn(body)
  const until = forMs === undefined ? undefined : new Date((await backend.now()).getTime() + forMs)
  await backend.pauseQueue(queue, { reason, until })
}

async function resume(backend: TaskBackend, queue: string, body: unknown): Promise<void> {
  recordIn(body, [], 'Send {}.')
  await backend.resumeQueue(queue)
}

/** @throws UsageError */
function pauseIn(body: unknown): { reason: string | undefined; forMs: number | undefined } {
  const hint = `Send { "reason": …, "forMs": … } or a part of it: a text of at most ${MOST_REASON} characters, and a whole number of ms of at most 366 days.`
  const { reason, forMs } = recordIn(body, ['reason', 'forMs'], hint)
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > MOST_REASON))
    throw new UsageError(
      `reason is ${typeof reason === 'string' ? `${reason.length} characters long` : shown(reason)}.`,
      hint,
    )
  if (forMs === undefined) return { reason, forMs }
  if (typeof forMs !== 'number' || !Number.isInteger(forMs) || forMs < 1 || forMs > YEAR_MS)
    throw new UsageError(`forMs is ${shown(forMs)}.`, hint)
  return { reason, forMs }
}

function told(
  { user, audit }: Changing,
  { alias: backend }: TaskBackend,
  action: 'pause' | 'resume',
  queue: string,
): Promise<void> {
  return audit({ user, action, backend, queue, ids: [], changed: 1 })
}
