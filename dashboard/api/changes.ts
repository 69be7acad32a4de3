import { ResultNotFoundError, shown, type TaskBackend, TasksError, UsageError } from '../../index'
import type { Permission } from '../security/access'
import { isId } from './query'

/** The most tasks that one request names. */
const MOST = 1_000

/** What is done to tasks, by the last part of the route. */
export const CHANGES: Readonly<
  Record<string, (backend: TaskBackend, id: string) => Promise<unknown>>
> = {
  retry: (backend, id) => backend.retry(id),
  cancel: async (backend, id) => (await backend.getResult(id)).cancel(),
}

/** The permission of a change has its name. */
export function permissionOf(change: string): Permission | undefined {
  return Object.hasOwn(CHANGES, change) ? (change as Permission) : undefined
}

/** What became of the tasks: the ids of those that were changed, and why others were not. */
export interface Changed {
  readonly changed: readonly string[]
  readonly refused: readonly { readonly id: string; readonly message: string }[]
}

/** @throws UsageError for a body that is not `{ "ids": […] }`. */
export function idsIn(body: unknown): readonly string[] {
  const { ids, ...others } = (typeof body === 'object' && body !== null ? body : {}) as {
    readonly ids?: unknown
  }
  const hint = `Send { "ids": […] } with 1 to ${MOST} ids of results.`
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) throw new UsageError(`The body has ${shown(stranger)}.`, hint)
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MOST)
    throw new UsageError(`ids is ${shown(ids)}.`, hint)
  const bad: unknown = ids.find((id) => !isId(id))
  if (bad !== undefined) throw new UsageError(`ids has ${shown(bad)}, which is no id.`, hint)
  return [...new Set((ids as string[]).map((id) => id.toLowerCase()))]
}

/**
 * One after the other: a failure of one is told, and the others go on. Rejects with what is no failure of one alone; `changed`
 * has those that were changed by then.
 */
export async function changeAll(
  backend: TaskBackend,
  change: string,
  ids: readonly string[],
  changed: string[],
): Promise<Changed> {
  const refused: { id: string; message: string }[] = []
  for (const id of ids)
    try {
      await CHANGES[change]?.(backend, id)
      changed.push(id)
    } catch (error) {
      if (!isOfOne(error)) throw error
      refused.push({ id, message: error.message })
    }
  return { changed, refused }
}

function isOfOne(error: unknown): error is TasksError {
  return (
    error instanceof ResultNotFoundError ||
    (error instanceof TasksError && error.code === 'NOT_SUPPORTED')
  )
}
