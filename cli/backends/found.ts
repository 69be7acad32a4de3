import type { TaskBackend } from '../../lib/backend'
import { backends } from '../../lib/backend-registry'
import { briefly } from '../../lib/errors/error-record'
import { ResultNotFoundError } from '../../lib/errors/errors'
import type { TaskResult } from '../../lib/result'
import { browsedBackend, isServed } from '../backend-option'
import { tell } from '../output'
import { placesOf } from './places'

export interface Found {
  readonly backend: TaskBackend
  readonly result: TaskResult<unknown>
  /** Whether it could have been somewhere else, so that one wants to be told where it was. */
  readonly isOneOfSeveral: boolean
}

/**
 * The result of this id, in the backend of the alias, else in whichever of TASKS has it.
 *
 * @throws ResultNotFoundError if none has it; what keeps one from being asked, if none of the others has it.
 */
export async function foundResult(id: string, alias: string | undefined): Promise<Found> {
  const asked = await askedFor(alias)
  const isOneOfSeveral = asked.length > 1
  const failures: unknown[] = []
  for (const backend of asked)
    try {
      const result = await backend.getResult(id)
      return { ...(await ownersOf(result, backend, alias)), isOneOfSeveral }
    } catch (error) {
      if (!(error instanceof ResultNotFoundError)) failures.push(error)
    }
  const [failure, ...others] = failures
  const aliases = asked.map((backend) => backend.alias)
  if (failure === undefined) throw new ResultNotFoundError(id, isOneOfSeveral ? aliases : [])
  for (const other of others) tell(`error: ${briefly(other)}`)
  if (failures.length < asked.length)
    tell(`No other backend of TASKS (${aliases.join(', ')}) has the result ${id}.`)
  throw failure
}

async function askedFor(alias: string | undefined): Promise<TaskBackend[]> {
  const places = alias === undefined ? await placesOf(backends.all().filter(isServed)) : []
  return places.length === 0 ? [browsedBackend(alias)] : places
}

/** A table may hold rows of other aliases, among them those that wait for a relay: their own backend knows what to do with them. */
async function ownersOf(
  result: TaskResult<unknown>,
  backend: TaskBackend,
  alias: string | undefined,
): Promise<Pick<Found, 'backend' | 'result'>> {
  const owner = backends.all().find((each) => each.alias === result.backend)
  const isOther = owner !== undefined && owner !== backend && isServed(owner)
  if (alias !== undefined || !isOther) return { backend, result }
  try {
    return { backend: owner, result: await owner.getResult(result.id) }
  } catch {
    return { backend, result }
  }
}
