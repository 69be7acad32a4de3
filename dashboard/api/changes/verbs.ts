import {
  InvalidTaskError,
  NotSupportedError,
  remoteTask,
  ResultNotFoundError,
  type TaskBackend,
  type TaskResult,
  TasksError,
} from '../../../index'
import { isRecord } from '../../../lib/errors/option-checks'
import { tasks } from '../../../lib/registry'
import { flowPartOf } from '../../../lib/row/flow-parts'
import type { AnyTask } from '../../../lib/task-type'
import { isTold } from '../answer'
import { type Asked, browserOf, resultOf } from '../asked'
import type { Changed, ChangeName } from '../wire'

/** What is done to tasks, all of one backend. */
export interface Deed {
  readonly change: ChangeName
  readonly backend: TaskBackend
  /** Of `prioritise`. */
  readonly priority: number
  /** The tasks were found by the browser of the backend, so that they are known to be its own. */
  readonly areFound: boolean
}

/** Hears what becomes of tasks, as it happens. */
export interface Hearer {
  readonly changed: (ids: readonly string[]) => void
  readonly refused: (refusal: Changed['refused'][number]) => void
}

/** Rejects with what is no failure of one task alone. */
type Verb = (asked: Asked, deed: Deed, ids: readonly string[], hearer: Hearer) => Promise<void>
type Result = TaskResult<unknown>

export const VERBS: Readonly<Record<ChangeName, Verb>> = {
  retry: oneByOne(async (asked, { backend, areFound }, id) => {
    if (!areFound) await resultOf(asked, backend, id)
    await backend.retry(id)
  }),
  cancel: oneByOne(async (asked, { backend }, id) => {
    const result = await resultOf(asked, backend, id)
    if (result.isFinished)
      throw new NotSupportedError(`Task ${id} is ${result.status} already.`, 'Nothing to cancel.')
    await result.cancel()
  }),
  copy: oneByOne(async (asked, { backend }, id) => copy(await resultOf(asked, backend, id))),
  delete: atOnce(
    async (asked, { backend }, ids) => (await browserOf(asked, backend)).remove(ids),
    'Tasks that run, or that others of a flow wait for, are not deleted.',
  ),
  prioritise: atOnce(
    async (asked, { backend, priority }, ids) =>
      (await browserOf(asked, backend)).prioritise(ids, priority),
    'Only tasks that are READY have a use for a priority.',
  ),
}

/** A failure of one is told, and the others go on. */
function oneByOne(work: (asked: Asked, deed: Deed, id: string) => Promise<void>): Verb {
  return async (asked, deed, ids, hearer) => {
    for (const id of ids)
      try {
        await work(asked, deed, id)
        hearer.changed([id])
      } catch (error) {
        if (!isOfOne(error)) throw error
        hearer.refused({ id, message: messageOf(error) })
      }
  }
}

/** In one call, which tells the ids of those that were changed; why the others were not is looked up. */
function atOnce(
  work: (asked: Asked, deed: Deed, ids: readonly string[]) => Promise<readonly string[]>,
  rule: string,
): Verb {
  return async (asked, deed, ids, hearer) => {
    const own = deed.areFound ? ids : await ownOf(asked, deed, ids, hearer)
    const done = own.length === 0 ? [] : await work(asked, deed, own)
    hearer.changed(done)
    for (const id of own.filter((each) => !done.includes(each)))
      hearer.refused({ id, message: await whyNot(deed.backend, id, rule) })
  }
}

/** Those that are of a backend of the page; the others are refused. */
async function ownOf(
  asked: Asked,
  { backend }: Deed,
  ids: readonly string[],
  { refused }: Hearer,
): Promise<readonly string[]> {
  const own: string[] = []
  for (const id of ids)
    try {
      await resultOf(asked, backend, id)
      own.push(id)
    } catch (error) {
      if (!isOfOne(error)) throw error
      refused({ id, message: messageOf(error) })
    }
  return own
}

async function whyNot(backend: TaskBackend, id: string, rule: string): Promise<string> {
  try {
    const { status, isWaiting } = await backend.getResult(id)
    const state = isWaiting ? 'waits for others of its flow' : `is ${status}`
    return `Task ${id} ${state}. ${rule}`
  } catch (error) {
    if (!isOfOne(error)) throw error
    return messageOf(error)
  }
}

function isOfOne(error: unknown): error is TasksError {
  return (
    error instanceof ResultNotFoundError ||
    error instanceof InvalidTaskError ||
    (error instanceof TasksError && error.code === 'NOT_SUPPORTED')
  )
}

/** That of a refused argument may quote it. */
function messageOf(error: TasksError): string {
  return isTold(error)
    ? error.message
    : 'The task does not accept these arguments any more: its classes of arguments, or its queue, have changed.'
}

/**
 * Enqueues a task again: with the same arguments, queue and priority, due at once, and in no flow.
 *
 * @throws NotSupportedError for a step of a flow, whose arguments are not all in its row, and if another task has its key.
 */
async function copy(result: Result): Promise<void> {
  const { id, taskName, args, kwargs } = result
  if (result.isWaiting || takesOfOthers(result.dbResult))
    throw new NotSupportedError(
      `Task ${id} takes what earlier tasks of its flow return, which is not in its row.`,
      'Enqueue the flow again.',
    )
  const known: AnyTask = tasks.find(taskName) ?? remoteTask<unknown[]>(taskName)
  const { queueName, priority, backend } = result
  const made = await known
    .using({ queueName, priority, backend, runAfter: null })
    .enqueueWith({ args: [...args], kwargs: { ...kwargs } })
  if (made.isDuplicate)
    throw new NotSupportedError(
      `Task ${made.id} has the key of task ${id} already, and is ${made.status}.`,
      'Wait until it has finished, or cancel it.',
    )
}

function takesOfOthers(row: unknown): boolean {
  if (!isRecord(row) || !isRecord(row['options'])) return false
  return flowPartOf(row['options']).awaits !== undefined
}
