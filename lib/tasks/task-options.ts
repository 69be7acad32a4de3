import type { EntityManager } from 'typeorm'
import { ARGUMENT_CLASSES, type ArgumentClass } from '../arguments/argument-classes'
import { InvalidTaskError } from '../errors/errors'
import {
  ALIAS,
  type OptionRow,
  QUEUE_NAME,
  type Subject,
  TRUE_OR_FALSE,
  assertKnown,
  check,
  isRecord,
  isWithin,
  or,
  taskSubject,
} from '../errors/option-checks'
import { shown } from '../errors/suggestions'
import { KEEP_RESULTS, type KeepResults } from '../retention'
import { type AnyArguments, assertOneKey, KEY_TABLE, type KeyOptions } from './keys'
import { DEFAULT_POLICY, POLICY_TABLE, type Policy, type Retry } from './run-policy'

/** What a task and one enqueue of it may ask for. */
export interface SharedOptions {
  /** Whole, -100 to 100; higher runs first. Default 0. */
  priority?: number | undefined
  /** At most 32 characters. Default `'default'`. */
  queueName?: string | undefined
  /** An alias of TASKS. Default `'default'`. */
  backend?: string | undefined
}

/** The policy as options of a task. */
export type PolicyOptions = {
  -readonly [Name in keyof Policy]?: NonNullable<Policy[Name]> | undefined
}

/** The policy as options of `using`; null takes off what the task asks for. */
export type PolicyChanges = {
  -readonly [Name in keyof Omit<Policy, 'retry'>]?: Policy[Name] | undefined
}

/** What a task asks for, wherever it is enqueued from. */
export interface TaskOptions<Args extends unknown[] = AnyArguments>
  extends SharedOptions, PolicyOptions, KeyOptions<Args> {
  /** The function's first argument is a `TaskContext`. Default false. */
  takesContext?: boolean | undefined
  /**
   * The class of each argument: what is given follows its class-validator rules, at enqueue and before the run, and
   * the function receives an instance. `{ optional: Class }` for an argument that may be left out or null, null for
   * one that is taken as it is.
   */
  args?: readonly ArgumentClass[] | undefined
  /**
   * The run is one transaction, whose manager is `context.manager`: what it writes there and that it is SUCCESSFUL
   * commit together or not at all. Default false.
   */
  transactional?: boolean | undefined
  /**
   * The run has a child process of its own, so that a long computation, a crash or a `process.exit` harms no other task,
   * and a time limit ends it for good. Default false.
   */
  isolate?: boolean | undefined
  /**
   * Milliseconds since it finished that a result of this task is kept, or `{ successful, failed }`; then a worker deletes it,
   * and so does `prune_db_task_results`. Default, and what is left out: OPTIONS.retention of the backend.
   */
  keepResults?: KeepResults | null | undefined
}

/** What one enqueue may change. */
export interface CallOptions<Args extends unknown[] = AnyArguments>
  extends SharedOptions, PolicyChanges, KeyOptions<Args> {
  /** Not before this instant; null: as soon as possible. */
  runAfter?: Date | null | undefined
  /** Enqueues in this manager's transaction. */
  manager?: EntityManager | undefined
  /** As the task's option, for this enqueue; a `retryOn` cannot be written into a row, so the task's own stays. */
  retry?: Omit<Retry, 'retryOn'> | null | undefined
}

type AllOptions = TaskOptions & CallOptions
type OwnOption = Exclude<keyof AllOptions, keyof Policy>

/** What a task is, apart from its code: its options, all present, the policy among them in one object. */
export interface TaskValues extends OwnValues {
  readonly name: string
  readonly manager: EntityManager | undefined
  /** What holds for its runs. */
  readonly policy: Policy
  /** What of the policy `using` changed; it is written into the row. */
  readonly overrides: Partial<Policy>
}

type OwnValues = {
  readonly [Name in Exclude<OwnOption, 'manager'>]-?: Exclude<AllOptions[Name], undefined>
}

/** `where`: an option of the definition (`task`), of `using` (`call`), or of both. */
type TaskOptionTable = {
  readonly [Name in keyof AllOptions]-?: OptionRow<
    Name extends OwnOption ? AllOptions[Name] : unknown
  > & {
    readonly where: Name extends keyof TaskOptions
      ? Name extends keyof CallOptions
        ? 'both'
        : 'task'
      : 'call'
  }
}

const MAX_TASK_NAME = 255
const TASK_NAME = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/
/** MySQL's first year; the end is the value that stands for "no delay". */
const EARLIEST = Date.UTC(1000, 0, 1)
const LATEST = Date.UTC(9999, 0, 1)

/** Every option, in the order in which errors list them. A new option needs its row here and its line in an interface above. */
const OPTIONS: TaskOptionTable = {
  priority: {
    where: 'both',
    default: 0,
    expected: 'a whole number from -100 to 100',
    isSound: (value) => Number.isInteger(value) && isWithin(value, -100, 100),
  },
  queueName: { where: 'both', default: 'default', ...QUEUE_NAME },
  runAfter: {
    where: 'call',
    default: null,
    expected: 'a valid Date before the year 9999, or null',
    isSound: (value) => value === null || isStorable(value),
  },
  backend: { where: 'both', default: 'default', ...ALIAS },
  manager: {
    where: 'call',
    default: undefined,
    expected: 'an EntityManager',
    isSound: (value) => value === undefined || isManager(value),
  },
  ...KEY_TABLE,
  takesContext: { where: 'task', default: false, ...TRUE_OR_FALSE },
  transactional: { where: 'task', default: false, ...TRUE_OR_FALSE },
  isolate: { where: 'task', default: false, ...TRUE_OR_FALSE },
  keepResults: { where: 'task', default: null, ...or(null, KEEP_RESULTS) },
  args: { where: 'task', default: [], ...ARGUMENT_CLASSES },
  ...POLICY_TABLE,
}

const TASK_OPTIONS = namesOf(({ where }) => where !== 'call')
const CALL_OPTIONS = namesOf(({ where }) => where !== 'task')
const OWN_OPTIONS = namesOf().filter((name) => !Object.hasOwn(POLICY_TABLE, name)) as OwnOption[]
const DEFAULTS = {
  ...(Object.fromEntries(OWN_OPTIONS.map((name) => [name, OPTIONS[name].default])) as OwnValues),
  policy: DEFAULT_POLICY,
  overrides: {},
}

/** The values of a new task. @throws InvalidTaskError for an unknown option, or a value out of its range. */
export function taskValues(name: string, options: TaskOptions): TaskValues {
  const { own, policy } = checked(taskSubject(String(name)), options, TASK_OPTIONS)
  checkTaskName(name)
  const values = { name, manager: undefined, ...DEFAULTS, ...own }
  assertOneKey(values)
  return { ...values, policy: { ...DEFAULT_POLICY, ...policy } }
}

/** The values that `using` changes. @throws InvalidTaskError for an unknown option, or a value out of its range. */
export function changedValues(task: TaskValues, changes: CallOptions): Partial<TaskValues> {
  const { own, policy } = checked(taskSubject(task.name), changes, CALL_OPTIONS)
  if (changes.retry && 'retryOn' in changes.retry)
    throw new InvalidTaskError(
      `Task "${task.name}", retry.retryOn: a function or a class cannot be written into a row.`,
      'Give it where the task is defined.',
    )
  assertOneKey({ ...task, ...own })
  if (Object.keys(policy).length === 0) return own
  return {
    ...own,
    policy: { ...task.policy, ...policy },
    overrides: { ...task.overrides, ...policy },
  }
}

function namesOf(
  isWanted: (row: TaskOptionTable[keyof TaskOptionTable]) => boolean = () => true,
): string[] {
  return Object.entries(OPTIONS)
    .filter(([, row]) => isWanted(row))
    .map(([name]) => name)
}

/** The options, checked, without those that are undefined, and those of the policy apart. */
function checked(
  subject: Subject,
  options: TaskOptions | CallOptions,
  known: readonly string[],
): { own: Partial<TaskValues>; policy: Partial<Policy> } {
  assertKnown(subject, options, known)
  const own: Record<string, unknown> = {}
  const policy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options) as [keyof AllOptions, unknown][]) {
    if (value === undefined) continue
    check(subject, name, value, OPTIONS[name])
    if (Object.hasOwn(POLICY_TABLE, name)) policy[name] = value
    else own[name] = value
  }
  return { own, policy }
}

function checkTaskName(name: unknown): void {
  if (typeof name !== 'string' || name.length > MAX_TASK_NAME || !TASK_NAME.test(name))
    throw new InvalidTaskError(
      `A task's name must be a dotted identifier of at most ${MAX_TASK_NAME} characters, got ${shown(name)}.`,
      'Name it like "mail.sendWelcome": letters, digits and _, parts joined by single dots.',
    )
}

function isStorable(value: unknown): boolean {
  return value instanceof Date && isWithin(value.getTime(), EARLIEST, LATEST - 1)
}

/** A query runner has a connection too, but to enqueue by it would be to enqueue outside of its transaction. */
function isManager(value: unknown): boolean {
  return isRecord(value) && 'connection' in value && 'getRepository' in value
}
