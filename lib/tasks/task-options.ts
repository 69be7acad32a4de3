import type { EntityManager } from 'typeorm'
import { type ArgumentClass, assertArgumentClasses } from './argument-classes'
import { InvalidTaskError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'
import {
  DEFAULT_POLICY,
  POLICY_OPTIONS,
  type Policy,
  type Retry,
  checkPolicy,
  policyIn,
} from './run-policy'

/** What a task asks for, wherever it is enqueued from. */
export interface TaskOptions {
  /** Whole, -100 to 100; higher runs first. Default 0. */
  priority?: number
  /** At most 32 characters. Default `'default'`. */
  queueName?: string
  /** An alias of TASKS. Default `'default'`. */
  backend?: string
  /** The function's first argument is a `TaskContext`. Default false. */
  takesContext?: boolean
  /**
   * The class of each argument: what is given follows its class-validator rules, at enqueue and before the run, and
   * the function receives an instance. `{ optional: Class }` for an argument that may be left out or null, null for
   * one that is taken as it is.
   */
  args?: readonly ArgumentClass[]
  /** When a failed run is tried again. Default: never, as in Django. */
  retry?: Retry
  /** Milliseconds a run may take: its signal aborts, then it is FAILED with TimeLimitExceeded, or tried again. Default: no limit. */
  timeLimit?: number
  /** Milliseconds a task may wait since it was due; then it is FAILED with MaxAgeExceeded and not run. Default: no limit. */
  maxAge?: number
  /** Whether a task whose worker was lost runs again; else it is FAILED with WorkerLost. Default true. */
  rerunAfterCrash?: boolean
  /**
   * The run is one transaction, whose manager is `context.manager`: what it writes there and that it is SUCCESSFUL
   * commit together or not at all. Default false.
   */
  transactional?: boolean
  /**
   * The run has a child process of its own, so that a long computation, a crash or a `process.exit` harms no other task,
   * and a time limit ends it for good. Default false.
   */
  isolate?: boolean
}

/** What a task is, apart from its code. */
export interface TaskValues {
  readonly name: string
  readonly priority: number
  readonly queueName: string
  /** An alias of TASKS. */
  readonly backend: string
  readonly takesContext: boolean
  /** Its run and its completion are one transaction. */
  readonly transactional: boolean
  /** Its run has a child process of its own. */
  readonly isolate: boolean
  /** The classes of the arguments; empty where none are listed. */
  readonly args: readonly ArgumentClass[]
  /** What holds for its runs. */
  readonly policy: Policy
  /** What of that this copy changed, to be written into the row. */
  readonly overrides: Partial<Policy>
  readonly runAfter: Date | null
  readonly uniqueKey: string | null
  readonly manager: EntityManager | undefined
}

/** What one enqueue may change. */
export interface CallOptions {
  priority?: number
  queueName?: string
  backend?: string
  /** Not before this instant; null: as soon as possible. */
  runAfter?: Date | null
  /** Enqueues in this manager's transaction. */
  manager?: EntityManager | undefined
  /** While a task with this key waits or runs, enqueueing it again gives that one's result. At most 126 characters. */
  uniqueKey?: string | null
  /** As the task's option, for this enqueue; a `retryOn` cannot be written into a row, so the task's own stays. */
  retry?: Omit<Retry, 'retryOn'> | null
  timeLimit?: number | null
  maxAge?: number | null
  rerunAfterCrash?: boolean
}

export const MAX_QUEUE_NAME = 32
const MAX_TASK_NAME = 255
const MAX_UNIQUE_KEY = 126
const TASK_NAME = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/
const QUEUE_NAME = /^[\p{L}\p{N}_.:@/-]+$/u
/** MySQL's first year; the end is the value that stands for "no delay". */
const EARLIEST = Date.UTC(1000, 0, 1)
const LATEST = Date.UTC(9999, 0, 1)

const TASK_OPTIONS = [
  'priority',
  'queueName',
  'backend',
  'takesContext',
  'transactional',
  'isolate',
  'args',
  ...POLICY_OPTIONS,
]
const CALL_OPTIONS = [
  'priority',
  'queueName',
  'runAfter',
  'backend',
  'manager',
  'uniqueKey',
  ...POLICY_OPTIONS,
]

/** The values of a new task. @throws InvalidTaskError for an unknown option. */
export function taskValues(name: string, options: TaskOptions): TaskValues {
  refuseUnknown(name, options, TASK_OPTIONS)
  const {
    priority = 0,
    queueName = 'default',
    backend = 'default',
    takesContext = false,
    transactional = false,
    isolate = false,
    args = [],
  } = options
  const policy = { ...DEFAULT_POLICY, ...policyIn(options) }
  return {
    name,
    priority,
    queueName,
    backend,
    takesContext,
    transactional,
    isolate,
    args,
    policy,
    overrides: {},
    runAfter: null,
    uniqueKey: null,
    manager: undefined,
  }
}

/** @throws InvalidTaskError for an option that `using` does not know. */
export function checkCallOptions(name: string, options: CallOptions): void {
  refuseUnknown(name, options, CALL_OPTIONS)
  if (options.retry && 'retryOn' in options.retry)
    throw new InvalidTaskError(
      `Task "${name}", retry.retryOn: a function or a class cannot be written into a row.`,
      'Give it where the task is defined.',
    )
}

/** @throws InvalidTaskError naming the value and its limit. */
export function checkTaskValues(values: TaskValues): void {
  checkTaskName(values.name)
  checkPriority(values)
  checkQueueName(values)
  checkRunAfter(values)
  checkUniqueKey(values)
  check(values, 'backend', typeof values.backend === 'string', 'an alias of TASKS')
  assertArgumentClasses(values.name, values.args)
  checkPolicy(values.name, values.policy)
  check(values, 'takesContext', typeof values.takesContext === 'boolean', 'true or false')
  check(values, 'transactional', typeof values.transactional === 'boolean', 'true or false')
  check(values, 'isolate', typeof values.isolate === 'boolean', 'true or false')
  check(
    values,
    'manager',
    values.manager === undefined || isManager(values.manager),
    'an EntityManager',
  )
}

/** @throws InvalidTaskError unless `name` can name a queue. */
export function assertQueueName(name: unknown, what: string): void {
  if (typeof name !== 'string' || name.length > MAX_QUEUE_NAME || !QUEUE_NAME.test(name))
    throw new InvalidTaskError(
      `${what}: expected a queue name of 1 to ${MAX_QUEUE_NAME} letters, digits and _ . : @ / -, got ${shown(name)}.`,
      'Rename the queue.',
    )
}

function checkTaskName(name: unknown): void {
  if (typeof name !== 'string' || name.length > MAX_TASK_NAME || !TASK_NAME.test(name))
    throw new InvalidTaskError(
      `A task's name must be a dotted identifier of at most ${MAX_TASK_NAME} characters, got ${shown(name)}.`,
      'Name it like "mail.sendWelcome": letters, digits and _, parts joined by single dots.',
    )
}

function checkPriority(values: TaskValues): void {
  const { priority } = values
  check(
    values,
    'priority',
    Number.isInteger(priority) && priority >= -100 && priority <= 100,
    'a whole number from -100 to 100',
  )
}

function checkQueueName({ name, queueName }: TaskValues): void {
  assertQueueName(queueName, `Task "${name}", queueName`)
}

function checkRunAfter(values: TaskValues): void {
  const { runAfter } = values
  if (runAfter === null) return
  const time = runAfter instanceof Date ? runAfter.getTime() : Number.NaN
  check(
    values,
    'runAfter',
    time >= EARLIEST && time < LATEST,
    'a valid Date before the year 9999, or null',
  )
}

function checkUniqueKey(values: TaskValues): void {
  const key = values.uniqueKey
  const sound =
    key === null ||
    (typeof key === 'string' &&
      key.length > 0 &&
      key.length <= MAX_UNIQUE_KEY &&
      /^\P{Cc}+$/u.test(key))
  check(values, 'uniqueKey', sound, `1 to ${MAX_UNIQUE_KEY} printable characters, or null`)
}

/** A query runner has a connection too, but to enqueue by it would be to enqueue outside of its transaction. */
function isManager(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && 'connection' in value && 'getRepository' in value
  )
}

function check(
  values: TaskValues,
  option: keyof TaskValues,
  sound: boolean,
  expected: string,
): void {
  if (!sound)
    throw new InvalidTaskError(
      `Task "${values.name}", ${option}: expected ${expected}, got ${shown(values[option])}.`,
      'Change the value.',
    )
}

function refuseUnknown(name: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new InvalidTaskError(
      `Task "${String(name)}": expected an object of options, got ${shown(options)}.`,
      'Write { … }.',
    )
  for (const option of Object.keys(options))
    if (!known.includes(option))
      throw new InvalidTaskError(
        `Task "${String(name)}": unknown option "${option}".`,
        didYouMean(option, known) ?? `Known options: ${known.join(', ')}.`,
      )
}
