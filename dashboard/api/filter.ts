import { UsageError } from '../../index'
import type { ArgumentQuery, TaskQuery } from '../../lib/browser'
import { lacking, Refused } from '../security/access'
import { Redaction } from '../security/redact'
import { isSecretName } from '../security/secrets/names'
import type { Asked } from './asked'
import {
  assertLength,
  brief,
  type Given,
  ID,
  INSTANT,
  name,
  oneOf,
  parametersIn,
  wholeNumber,
} from './query'

/** Which tasks are asked for, of which backend. */
export interface Filter {
  readonly backend: string | undefined
  readonly query: Omit<TaskQuery, 'limit' | 'within' | 'before'>
  /** It compares values of the tasks. */
  readonly looksAtValues: boolean
}

const FILTER = {
  backend: name(32),
  state: oneOf('DUE', 'LATER', 'WAITING', 'READY', 'RUNNING', 'FAILED', 'SUCCESSFUL'),
  queue: name(32),
  task: name(1_000),
  worker: name(200),
  error: name(1_000),
  text: name(200),
  from: INSTANT,
  to: INSTANT,
}

const BOUNDS = { before: ID, limit: wholeNumber(1, 200), within: wholeNumber(1, 1_000_000) }

const ARGS = 'args.'
const MOST_ARGS = 5
const VALUE = name(1_000)
const PATH = /^[^.]{1,100}(\.[^.]{1,100}){0,9}$/u

/**
 * The filter that parameters are.
 *
 * @throws UsageError for what it does not know, and for a look at what nobody is shown; Refused for want of a permission.
 */
export function filterIn(asked: FilterAsked, search: URLSearchParams): Filter {
  return filterOf(asked, search, parametersIn(plainOf(search), FILTER))
}

/** The same, and which part of what it finds is asked for. */
export function pageIn(
  asked: FilterAsked,
  search: URLSearchParams,
): { readonly filter: Filter; readonly bounds: Given<typeof BOUNDS> } {
  const { before, limit, within, ...given } = parametersIn(plainOf(search), {
    ...FILTER,
    ...BOUNDS,
  })
  return { filter: filterOf(asked, search, given), bounds: { before, limit, within } }
}

type FilterAsked = Pick<Asked, 'access' | 'page'>

function filterOf(
  { access, page }: FilterAsked,
  search: URLSearchParams,
  given: Given<typeof FILTER>,
): Filter {
  const { backend, state, queue, task: taskName, worker: workerId, error, text, from, to } = given
  const args = argumentsIn(search, page.redact.keys ?? [])
  const looksAtValues = args.length > 0 || text !== undefined
  if (looksAtValues && !access.has('values')) throw new Refused(lacking('values'))
  const query = { state, queue, taskName, workerId, error, text, from, to, args }
  return { backend, query, looksAtValues }
}

/** Without those that are named by a path. */
function plainOf(search: URLSearchParams): URLSearchParams {
  assertLength(search.toString().length)
  return new URLSearchParams([...search].filter(([key]) => !key.startsWith(ARGS)))
}

function argumentsIn(
  search: URLSearchParams,
  secret: readonly (RegExp | string)[],
): ArgumentQuery[] {
  const names = [...search.keys()].filter((key) => key.startsWith(ARGS))
  if (new Set(names).size !== names.length || names.length > MOST_ARGS)
    throw new UsageError(
      `There are ${names.length} filters of arguments.`,
      `Give at most ${MOST_ARGS}, each path once.`,
    )
  return names.map((each) => {
    const path = each.slice(ARGS.length)
    const value = VALUE.read(search.get(each) ?? '')
    if (!PATH.test(path) || !path.isWellFormed() || path.includes('\0') || value === undefined)
      throw new UsageError(
        `${brief(each)} is no filter of an argument.`,
        `Write ${ARGS}0.user.id=7 for a place in the list of arguments, ${ARGS}user.id=7 for a keyword argument; the value is ${VALUE.expected}.`,
      )
    const hidden = path.split('.').find((key) => isSecretName(key, secret))
    if (hidden !== undefined)
      throw new UsageError(
        `Values of ${brief(hidden)} are redacted, so nobody may look for one.`,
        'Filter by another argument.',
      )
    assertPlain(each, value, secret)
    return { path, value }
  })
}

/** @throws UsageError for a value that has what would be redacted: that it is found would tell what is there. */
function assertPlain(name: string, value: string, keys: readonly (RegExp | string)[]): void {
  if (new Redaction({ keys }).text(value) !== value)
    throw new UsageError(
      `The value of ${brief(name)} has what is redacted, so nobody may look for it.`,
      'Filter by another argument, or by one inside this one.',
    )
}
