import { DatabaseTasks } from './kit/database'
import { RecordedTasks } from './kit/recorded'
import { type InDatabase, type MemoryTestOptions, type TestOptions, testSettings } from './options'

export { TaskExpectationError } from './expect/expectation'
export {
  anything,
  type Expected,
  type ExpectedArgs,
  type Matcher,
  matching,
  type Parts,
} from './expect/matchers'
export { partial } from './expect/partial'
export type { Wanted } from './expect/wanted'
export type { FinishedOptions, TestWorkers } from './kit/base'
export type { DrainOptions, Within } from './kit/database'
export type { DatabaseTestOptions, InDatabase, MemoryTestOptions, TestOptions } from './options'
export { perform, type PerformOptions } from './perform'
export type { RunOptions, RunReport } from './run/drain'
export { TaskRunError } from './run/run-error'
export type { DatabaseTasks, RecordedTasks }

/**
 * Takes the place of all backends of TASKS until `restore()`: what the app enqueues is kept for the test to look at and to run.
 * For any test runner.
 *
 * ```ts
 * const tasks = testTasks()
 * await signUp('ann@example.org')
 * tasks.expectEnqueued(sendWelcome, [42, anything], { queueName: 'mail' })
 * await tasks.run()
 * ```
 *
 * With `{ database: dataSource }`, or `{ mode: 'database' }`, tasks are rows of a real database, and all methods give promises.
 *
 * @throws InvalidSettingsError for an option that there is not, or that is not what it must be.
 */
export function testTasks(options?: MemoryTestOptions): RecordedTasks
export function testTasks(options: InDatabase): DatabaseTasks
export function testTasks(options: TestOptions = {}): RecordedTasks | DatabaseTasks {
  const settings = testSettings(options)
  return settings.mode === 'database' ? new DatabaseTasks(settings) : new RecordedTasks(settings)
}
