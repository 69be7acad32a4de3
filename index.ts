import { DatabaseBackend } from './backends/database'
import { DummyBackend } from './backends/dummy'
import { ImmediateBackend } from './backends/immediate'
import { backends } from './lib/registry'
import { registerBackend } from './lib/settings'

export { DBTaskResult, dbTaskResultSchema } from './entities'
export { atomic } from './backends/database'
export { type Order, type BackendSettings, type Problem, TaskBackend } from './lib/backend'
export { TaskContext } from './lib/context'
export { remoteTask, task, taskOf, type TaskDecorator } from './lib/define'
export * from './lib/errors'
export type { ErrorRecord } from './lib/failure'
export type { Jsonable } from './lib/json'
export { type Logger, setLogger } from './lib/log'
export { type Progress, TaskResult, type TaskStatus, type WaitOptions } from './lib/result'
export {
  type BackendClass,
  type BackendConfig,
  configureTasks,
  type TasksSettings,
} from './lib/settings'
export { Signal, type TaskEvent, taskEnqueued, taskFinished, taskStarted } from './lib/signals'
export {
  pruneResults,
  type PruneOptions,
  runUntilEmpty,
  type RunningWorker,
  startWorker,
} from './lib/start-worker'
export type {
  ClaimedRow,
  Counts,
  Exchange,
  Held,
  Hint,
  Lost,
  Outcome,
  PruneWish,
  Renewal,
  Renewed,
  Rescued,
  Store,
  StoreOptions,
  Wishes,
} from './lib/store'
export type { ErrorClass, Retry } from './lib/policy'
export { Task } from './lib/task'
export type { CallOptions, TaskOptions } from './lib/task-options'
export type { WorkerReport } from './lib/worker'
export { ProcessLost } from './lib/isolation/process-lost'
export type { IsolationOptions } from './lib/isolation/isolation'
export type { WorkerOptions } from './lib/worker-options'

registerBackend('typeorm-tasks/backends/immediate#ImmediateBackend', () => ImmediateBackend)
registerBackend('typeorm-tasks/backends/dummy#DummyBackend', () => DummyBackend)
registerBackend('typeorm-tasks/backends/database#DatabaseBackend', () => DatabaseBackend)

/** With nothing configured, tasks run at once, as in Django. */
const unconfigured = new Map([
  ['default', new ImmediateBackend('default', { queues: ['default'], options: {} })],
])
backends.setFallback(() => unconfigured)
