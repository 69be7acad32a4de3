import { types } from 'node:util'
import {
  DELAY,
  LONGEST_TIMER_MS,
  type OptionRow,
  type Rule,
  type Subject,
  TRUE_OR_FALSE,
  assertKnown,
  check,
  isRecord,
  isWithin,
  or,
  taskSubject,
  unexpected,
} from '../errors/option-checks'

/** When a failed run is tried again. */
export interface Retry {
  /** Runs in all, the first one included. */
  maxAttempts: number
  /** Milliseconds before the second run. Default 1000. */
  delay?: number | undefined
  /** The delay is multiplied by this from run to run. Default 2. */
  factor?: number | undefined
  /** The delay's limit in milliseconds. Default one hour. */
  maxDelay?: number | undefined
  /** The random part of the delay, 0 to 1, so that many failures are not all retried at once. Default 0.2. */
  jitter?: number | undefined
  /** Which errors are retried: classes, or a function that returns true for them. Default: all. */
  retryOn?: readonly ErrorClass[] | ((error: unknown) => boolean) | undefined
}

// oxlint-disable-next-line typescript/no-explicit-any -- the arguments of an error's constructor do not matter here
export type ErrorClass = abstract new (...given: any[]) => Error

/** What holds for the runs of a task. Each is an option of tasks and of `using`; what `using` changes is written into the row. */
export interface Policy {
  /** When a failed run is tried again. Default: never, as in Django. */
  readonly retry: Retry | null
  /** Milliseconds a run may take: its signal aborts, then it is FAILED with TimeLimitExceeded, or tried again. Default: no limit. */
  readonly timeLimit: number | null
  /** Milliseconds a task may wait since it was due; then it is FAILED with MaxAgeExceeded and not run. Default: no limit. */
  readonly maxAge: number | null
  /** Whether a task whose worker was lost runs again; else it is FAILED with WorkerLost. Default true. */
  readonly rerunAfterCrash: boolean
}

const RETRY_RULES: { readonly [Name in keyof Retry]-?: Rule } = {
  maxAttempts: {
    expected: 'a whole number from 1 to 1000',
    isSound: (value) => Number.isInteger(value) && isWithin(value, 1, 1000),
  },
  delay: or(undefined, DELAY),
  factor: or(undefined, {
    expected: 'a number from 1 to 100',
    isSound: (value) => isWithin(value, 1, 100),
  }),
  maxDelay: or(undefined, DELAY),
  jitter: or(undefined, {
    expected: 'a number from 0 to 1',
    isSound: (value) => isWithin(value, 0, 1),
  }),
  retryOn: or(undefined, {
    expected: 'a list of error classes, or a function that is not async',
    isSound: (value) =>
      (typeof value === 'function' && !types.isAsyncFunction(value)) || isListOfClasses(value),
    hint: 'Write a list of classes, or a function that returns true or false.',
  }),
}
const RETRY_OPTIONS = Object.keys(RETRY_RULES) as (keyof Retry)[]

/** The rows of these options in the table of all task options. */
export const POLICY_TABLE: {
  readonly [Name in keyof Policy]: OptionRow<Policy[Name]> & { readonly where: 'both' }
} = {
  retry: {
    where: 'both',
    default: null,
    expected: '{ maxAttempts, … }',
    isSound: (value) => value === null || isRecord(value),
    checkInside: checkRetry,
  },
  timeLimit: {
    where: 'both',
    default: null,
    ...or(null, {
      expected: 'a number of milliseconds, 1 or more',
      isSound: (value) => isWithin(value, 1, LONGEST_TIMER_MS),
    }),
  },
  maxAge: {
    where: 'both',
    default: null,
    ...or(null, {
      expected: 'a number of milliseconds, 0 or more',
      isSound: (value) => isWithin(value, 0, Number.MAX_SAFE_INTEGER),
    }),
  },
  rerunAfterCrash: { where: 'both', default: true, ...TRUE_OR_FALSE },
}
const POLICY_OPTIONS = Object.keys(POLICY_TABLE) as (keyof Policy)[]

/** One run, without limits, and another one only if its worker was lost. */
export const DEFAULT_POLICY = Object.fromEntries(
  POLICY_OPTIONS.map((name) => [name, POLICY_TABLE[name].default]),
) as unknown as Policy

/** Whether there are policy options among `options`: rows of a flow have others. */
export function changesPolicy(options: object): boolean {
  return POLICY_OPTIONS.some((name) => name in options)
}

/** The policy options among `options`, without those that are undefined. */
function policyIn(options: { readonly [Name in keyof Policy]?: unknown }): Partial<Policy> {
  return Object.fromEntries(
    POLICY_OPTIONS.map((name) => [name, options[name]]).filter(([, value]) => value !== undefined),
  ) as Partial<Policy>
}

/** The policy for a row: that of its task, changed by what `using` wrote into the row. A `retryOn` cannot be written, so the task's stays. */
export function overridden(policy: Policy, row: Readonly<Record<string, unknown>>): Policy {
  const changes = policyIn(row)
  if (Object.keys(changes).length === 0) return policy
  const { retryOn } = policy.retry ?? {}
  return {
    ...policy,
    ...changes,
    ...(changes.retry && retryOn ? { retry: { retryOn, ...changes.retry } } : {}),
  }
}

/** @throws InvalidTaskError naming the option, what was expected and what was found. */
export function checkPolicy(taskName: string, policy: Policy): void {
  const subject = taskSubject(taskName)
  for (const name of POLICY_OPTIONS) check(subject, name, policy[name], POLICY_TABLE[name])
}

function checkRetry(subject: Subject, name: string, value: unknown): void {
  if (value === null) return
  const retry = value as Readonly<Record<string, unknown>>
  assertKnown({ ...subject, what: `${subject.what}, ${name}` }, retry, RETRY_OPTIONS)
  for (const option of RETRY_OPTIONS)
    if (!RETRY_RULES[option].isSound(retry[option]))
      throw unexpected(subject, `${name}.${option}`, RETRY_RULES[option], retry[option])
}

function isListOfClasses(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'function')
}
