import { InvalidTaskError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'

/** When a failed run is tried again. */
export interface Retry {
  /** Runs in all, the first one included. */
  maxAttempts: number
  /** Milliseconds before the second run. Default 1000. */
  delay?: number
  /** By what the delay grows from run to run. Default 2. */
  factor?: number
  /** The delay's limit in milliseconds. Default one hour. */
  maxDelay?: number
  /** The part of the delay that is left to chance, 0 to 1, so that many failures are not all tried again at once. Default 0.2. */
  jitter?: number
  /** Which errors are worth another run: classes, or a function that says so. Default: all. */
  retryOn?: readonly ErrorClass[] | ((error: unknown) => boolean)
}

// oxlint-disable-next-line typescript/no-explicit-any -- the arguments of an error's constructor do not matter here
export type ErrorClass = abstract new (...given: any[]) => Error

/** What holds for the runs of a task. */
export interface Policy {
  /** Default: one run, as in Django. */
  readonly retry: Retry | null
  /** Milliseconds a run may take: its signal aborts, then it is FAILED with TimeLimitExceeded, or tried again. Default: none. */
  readonly timeLimit: number | null
  /** Milliseconds a task may wait since it was due; then it is FAILED with MaxAgeExceeded and not run. Default: none. */
  readonly maxAge: number | null
  /** Whether a task whose worker was lost runs again; else it is FAILED with WorkerLost. Default true. */
  readonly rerunAfterCrash: boolean
}

export const POLICY_OPTIONS = ['retry', 'timeLimit', 'maxAge', 'rerunAfterCrash'] as const
const RETRY_OPTIONS = ['maxAttempts', 'delay', 'factor', 'maxDelay', 'jitter', 'retryOn']

/** With nothing asked for: one run, however long, and again only if its worker was lost. */
export const DEFAULT_POLICY: Policy = {
  retry: null,
  timeLimit: null,
  maxAge: null,
  rerunAfterCrash: true,
}

const LONGEST = 2 ** 31 - 1

const milliseconds = (value: unknown): boolean => value === undefined || isWithin(value, 0, LONGEST)
const RETRY_RANGES: readonly [
  option: Exclude<keyof Retry, 'retryOn'>,
  expected: string,
  isSound: (value: unknown) => boolean,
][] = [
  [
    'maxAttempts',
    'a whole number from 1 to 1000',
    (value) => Number.isInteger(value) && isWithin(value, 1, 1000),
  ],
  ['delay', 'a number of milliseconds, 0 or more', milliseconds],
  ['factor', 'a number from 1 to 100', (value) => value === undefined || isWithin(value, 1, 100)],
  ['maxDelay', 'a number of milliseconds, 0 or more', milliseconds],
  ['jitter', 'a number from 0 to 1', (value) => value === undefined || isWithin(value, 0, 1)],
]

/** The policy options among `options`; what is undefined is left out. */
export function policyIn(
  options: Partial<Record<(typeof POLICY_OPTIONS)[number], unknown>>,
): Partial<Policy> {
  return Object.fromEntries(
    POLICY_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [
      name,
      options[name],
    ]),
  )
}

/** What holds for a row: its task's policy, changed by what its enqueue overrode. A `retryOn` cannot be written, so the task's stays. */
export function overridden(policy: Policy, row: Readonly<Record<string, unknown>>): Policy {
  if (Object.keys(row).length === 0) return policy
  const changes = policyIn(row)
  const { retryOn } = policy.retry ?? {}
  return {
    ...policy,
    ...changes,
    ...(changes.retry && retryOn ? { retry: { retryOn, ...changes.retry } } : {}),
  }
}

/** @throws InvalidTaskError naming the option, what was expected and what was found. */
export function checkPolicy(
  name: string,
  { retry, timeLimit, maxAge, rerunAfterCrash }: Policy,
): void {
  if (retry !== null) checkRetry(name, retry)
  check(
    name,
    'timeLimit',
    timeLimit,
    timeLimit === null || isWithin(timeLimit, 1, LONGEST),
    'a number of milliseconds, 1 or more',
  )
  check(
    name,
    'maxAge',
    maxAge,
    maxAge === null || isWithin(maxAge, 0, Number.MAX_SAFE_INTEGER),
    'a number of milliseconds, 0 or more',
  )
  check(
    name,
    'rerunAfterCrash',
    rerunAfterCrash,
    typeof rerunAfterCrash === 'boolean',
    'true or false',
  )
}

function checkRetry(name: string, retry: Retry): void {
  check(
    name,
    'retry',
    retry,
    typeof retry === 'object' && !Array.isArray(retry),
    '{ maxAttempts, … }',
  )
  for (const option of Object.keys(retry))
    if (!RETRY_OPTIONS.includes(option))
      throw new InvalidTaskError(
        `Task "${name}", retry: unknown option "${option}".`,
        didYouMean(option, RETRY_OPTIONS) ?? `Known options: ${RETRY_OPTIONS.join(', ')}.`,
      )
  for (const [option, expected, isSound] of RETRY_RANGES) {
    const value = retry[option]
    check(name, `retry.${option}`, value, isSound(value), expected)
  }
  const { retryOn } = retry
  check(
    name,
    'retry.retryOn',
    retryOn,
    retryOn === undefined || typeof retryOn === 'function' || isListOfClasses(retryOn),
    'a list of error classes, or a function',
  )
}

function isListOfClasses(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'function')
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most
}

function check(
  name: string,
  option: string,
  value: unknown,
  sound: boolean,
  expected: string,
): void {
  if (!sound)
    throw new InvalidTaskError(
      `Task "${name}", ${option}: expected ${expected}, got ${shown(value)}.`,
      'Change the value.',
    )
}
