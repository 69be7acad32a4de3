import type { RedactRules } from '../../dashboard/security/redact'
import { InvalidTaskError, type TaskResult, TasksError } from '../../index'
import { OneClass } from '../../lib/copies/one-per-process'
import { shown } from '../../lib/errors/suggestions'
import { plainArguments } from '../../lib/arguments/dto'
import type { AnyTask } from '../../lib/task-type'
import { argumentDifferences, type Difference } from './differences'
import { Printer } from './print'
import { checkedWanted, type Wanted, wantedDifferences } from './wanted'

/** An expectation of a test does not hold. No AssertionError of Node: Jest would look for values in it that it does not have. */
@OneClass('TaskExpectationError')
export class TaskExpectationError extends TasksError {
  readonly code = 'TASK_EXPECTATION'
}

/** What a test expects of calls: undefined arguments may be whatever they are. */
export interface Expectation {
  readonly task: AnyTask
  readonly args: readonly unknown[] | undefined
  readonly wanted: Wanted
}

interface Compared {
  readonly result: TaskResult<unknown>
  readonly differences: readonly Difference[]
}

const NEAREST = 3
const MOST_NAMES = 10

/** @throws InvalidTaskError or InvalidSettingsError for what cannot be expected. */
export function expectationOf(
  task: unknown,
  args: unknown,
  wanted: Wanted,
  what: string,
): Expectation {
  if (!isTask(task))
    throw new InvalidTaskError(
      `${what} expected a task, got ${shown(task)}.`,
      'Pass what task(…) gave, or taskOf(Class.method). It is undefined if it comes from a file that imports this one.',
    )
  if (args !== undefined && !Array.isArray(args))
    throw new InvalidTaskError(
      `${what} of task "${task.name}" expected a list of arguments, got ${shown(args)}.`,
      'Write expectEnqueued(task, [42]), or leave the list out.',
    )
  return {
    task,
    // Instances of the classes of the task as the plain objects that are written.
    args: args === undefined ? undefined : plainArguments(task, args),
    wanted: checkedWanted(wanted, `${what} of task "${task.name}"`),
  }
}

/**
 * The first call that is as expected.
 *
 * @throws TaskExpectationError that shows the nearest calls if there is none, or not as many as wanted.
 */
export function assertEnqueued(
  { task, args, wanted }: Expectation,
  calls: readonly TaskResult<unknown>[],
  rules: RedactRules,
): TaskResult<unknown> {
  const compared = comparedWith({ task, args, wanted }, calls)
  const matching = compared.filter(({ differences }) => differences.length === 0)
  const [first] = matching
  const { count } = wanted
  if (first && matching.length === (count ?? matching.length)) return first.result
  const expected = expectedText({ task, args, wanted }, rules)
  if (count !== undefined && matching.length > 0)
    throw new TaskExpectationError(
      `Expected ${count} calls of\n  ${expected}\nand there were ${matching.length}.`,
      'Leave count out for one at least.',
    )
  throw new TaskExpectationError(
    `Task "${task.name}" was not enqueued as expected:\n  ${expected}\n${othersText(compared, calls, rules)}`,
    'Was it enqueued before the kit began, or is it awaited later?',
  )
}

/** @throws TaskExpectationError if there is such a call. */
export function assertNotEnqueued(
  expectation: Expectation,
  calls: readonly TaskResult<unknown>[],
  rules: RedactRules,
): void {
  const found = comparedWith(expectation, calls).filter(
    ({ differences }) => differences.length === 0,
  )
  const [first] = found
  if (!first) return
  const { args, taskName } = first.result
  throw new TaskExpectationError(
    `Task "${taskName}" was enqueued ${found.length === 1 ? 'once' : `${found.length} times`}:\n  ${printedCall(first.result, rules)}`,
    args.length > 0 && expectation.args === undefined
      ? 'Name arguments to forbid only some calls.'
      : 'Call clear() of the kit to forget earlier calls.',
  )
}

function comparedWith(
  { task, args, wanted }: Expectation,
  calls: readonly TaskResult<unknown>[],
): Compared[] {
  return calls
    .filter(({ taskName }) => taskName === task.name)
    .map((result) => ({
      result,
      differences: [
        ...(args === undefined ? [] : argumentDifferences(args, result.args)),
        ...wantedDifferences(wanted, result),
      ],
    }))
}

/** The nearest calls of the task, or what else was enqueued. */
function othersText(
  compared: readonly Compared[],
  calls: readonly TaskResult<unknown>[],
  rules: RedactRules,
): string {
  if (compared.length === 0) return `It was not called. ${namesText(calls)}`
  const nearest = compared
    .toSorted((a, b) => a.differences.length - b.differences.length)
    .slice(0, NEAREST)
  const which = compared.length > NEAREST ? `The nearest of ${compared.length} calls` : 'Its calls'
  const told = nearest.map(({ result, differences }) => {
    const printer = new Printer(rules)
    const call = printer.call(result.taskName, result.args)
    return [`  ${call}`, ...printer.differences(differences).map((each) => `    ${each}`)].join(
      '\n',
    )
  })
  return `${which}:\n${told.join('\n')}`
}

function namesText(calls: readonly TaskResult<unknown>[]): string {
  if (calls.length === 0) return 'Nothing was enqueued.'
  const numbers = new Map<string, number>()
  for (const { taskName } of calls) numbers.set(taskName, (numbers.get(taskName) ?? 0) + 1)
  const named = [...numbers].map(([name, count]) => (count === 1 ? name : `${name} (${count})`))
  const more = named.length > MOST_NAMES ? `, and ${named.length - MOST_NAMES} other tasks` : ''
  return `These were: ${named.slice(0, MOST_NAMES).join(', ')}${more}.`
}

function printedCall({ taskName, args }: TaskResult<unknown>, rules: RedactRules): string {
  return new Printer(rules).call(taskName, args)
}

function expectedText({ task, args, wanted }: Expectation, rules: RedactRules): string {
  const printer = new Printer(rules)
  const call = args === undefined ? `${task.name}(…)` : printer.call(task.name, args)
  const { runAfter, count, ...plain } = wanted
  const named = Object.entries({
    ...plain,
    ...(runAfter && { runAfter: runAfter.of.toISOString() }),
    ...(runAfter === null && { runAfter }),
    ...(count !== undefined && { count }),
  }).filter(([, value]) => value !== undefined)
  const with_ = named.map(([name, value]) => `${name}: ${printer.at([name], value)}`)
  return with_.length === 0 ? call : `${call} with ${with_.join(', ')}`
}

export function isTask(value: unknown): value is AnyTask {
  return (
    typeof value === 'object' &&
    value !== null &&
    'using' in value &&
    typeof value.using === 'function' &&
    'name' in value
  )
}
