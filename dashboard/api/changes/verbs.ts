import {
  InvalidTaskError,
  NotSerializableError,
  NotSupportedError,
  remoteTask,
  ResultMismatchError,
  ResultNotFoundError,
  type TaskBackend,
  type TaskResult,
  TasksError,
} from '../../../index'
import { CANCELLED } from '../../../lib/errors/error-record'
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
  cancel: oneByOne(async (asked, { backend }, id) =>
    cancel(backend, await resultOf(asked, backend, id)),
  ),
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
      hearer.refused({ id, message: await whyNot(asked, deed.backend, id, rule) })
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

async function whyNot(
  asked: Pick<Asked, 'page'>,
  backend: TaskBackend,
  id: string,
  rule: string,
): Promise<string> {
  try {
    const { status, isWaiting } = await (await browserOf(asked, backend)).result(id)
    const state = isWaiting ? 'waits for others of its flow' : `is ${status}`
    return `Task ${id} ${state}. ${rule}`
  } catch (error) {
    if (!isOfOne(error)) throw error
    return messageOf(error)
  }
}

/** What keeps one task from being changed, but no other. */
function isOfOne(error: unknown): error is TasksError {
  return (
    error instanceof TasksError &&
    (error.code === 'NOT_SUPPORTED' || OF_ONE.some((Kind) => error instanceof Kind))
  )
}

const OF_ONE = [
  ResultNotFoundError,
  InvalidTaskError,
  NotSerializableError,
  ResultMismatchError,
] as const

/** What an error of one task says: its own words may quote arguments, or a key that is made of them. */
function messageOf(error: TasksError): string {
  if (error instanceof NotSerializableError)
    return 'Its arguments cannot be stored again: they have what JSON cannot carry, or a key such as "__proto__".'
  if (error instanceof ResultMismatchError) return 'A task of another name has its unique key.'
  return isTold(error)
    ? error.message
    : 'The task does not accept these arguments any more: its classes of arguments, or its queue, have changed.'
}

/** @throws NotSupportedError if it has finished by then, be it that somebody else has cancelled it. */
async function cancel(backend: TaskBackend, result: Result): Promise<void> {
  const { id } = result
  if (!result.isFinished) {
    const isChanged = await backend.cancel(result)
    if (isChanged === true) return
    await result.refresh()
    if (isChanged === undefined && isCancelled(result)) return
  }
  throw new NotSupportedError(
    `Task ${id} is ${result.status}${result.isFinished ? ' already' : ', but by no worker that could be told'}.`,
    'Nothing to cancel.',
  )
}

/** Of a backend that does not tell whether it has changed something. */
function isCancelled({ errors, isFinished }: Result): boolean {
  return !isFinished || errors.at(-1)?.exceptionClassPath === CANCELLED
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
