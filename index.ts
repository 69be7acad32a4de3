import { DatabaseBackend } from './backends/database'
import type * as bullmq from './backends/bullmq'
import type { BullMQOptions } from './backends/bullmq/options'
import { DummyBackend } from './backends/dummy'
import { ImmediateBackend } from './backends/immediate'
import { UnconfiguredBackend } from './backends/unconfigured'
import type { DatabaseOptions } from './backends/database'
import type { MemoryOptions } from './backends/memory/backend'
import type * as sharded from './backends/sharded'
import { backends } from './lib/backend-registry'
import { registerBackend } from './lib/settings/configure'

export {
  DBTaskQueue,
  DBTaskResult,
  dbTaskResultSchema,
  DBTaskWorker,
  taskEntities,
} from './entities'
export { atomic, managerOn } from './backends/database'
export {
  type CountQuery,
  type ListQuery,
  type BackendSettings,
  type Problem,
  TaskBackend,
} from './lib/backend'
export type {
  ArgumentQuery,
  Browser,
  FlowAround,
  HistoryQuery,
  HistoryStep,
  QueueState,
  Spread,
  TaskPage,
  TaskQuery,
  TaskState,
} from './lib/browser'
export { allBackends } from './lib/backend-registry'
export type { Order } from './lib/order'
export { TaskContext } from './lib/tasks/context'
export {
  type CarriedByJson,
  remoteTask,
  task,
  taskOf,
  type TaskDecorator,
} from './lib/tasks/define'
export * from './lib/errors/errors'
export * from './lib/errors/run-errors'
export { didYouMean, shown } from './lib/errors/suggestions'
export type { ErrorRecord } from './lib/errors/error-record'
export type { AttemptError } from './lib/errors/history'
export type { Jsonable } from './lib/arguments/json'
export { type Logger, type LoggerWithLog, setLogger } from './lib/events/logger'
export { type Middleware, type RunContext, setMiddleware } from './lib/middleware'
export { MOST_AHEAD, type Pause, type PauseOptions } from './lib/browser'
export { getResult, type GetResultOptions } from './lib/tasks/get-result'
export { pausedQueues, pauseQueue, type QueueOptions, resumeQueue } from './lib/tasks/pausing'
export { runningCommand } from './lib/copies/running-command'
export { TaskResult, type WaitOptions } from './lib/result'
export { tasksAhead } from './lib/public/ahead'
export {
  type PublicResponse,
  publicResponse,
  type PublicResponseOptions,
} from './lib/public/public-response'
export { type PublicView, publicView } from './lib/public/public-view'
export {
  taskToken,
  type TokenOptions,
  type VerifyOptions,
  verifyTaskToken,
} from './lib/public/task-token'
export type { KeepResults, KeptByStatus } from './lib/retention'
export type { Counts, Progress, TaskStatus } from './lib/row/record'
export {
  type BackendClass,
  type BackendConfig,
  configureTasks,
  type TasksSettings,
} from './lib/settings/configure'
export {
  Signal,
  type TaskEvent,
  taskEnqueued,
  taskFinished,
  taskStarted,
} from './lib/events/signals'
export type { TraceContext } from './lib/row/trace'
export {
  type AskedFact,
  type EndedFact,
  type FactListener,
  type FactOfTask,
  type LostFact,
  type RescuedFact,
  type SentFact,
  type StartedFact,
  type TaskFact,
  taskFacts,
  TaskFacts,
  type WorkerAtWork,
} from './lib/telemetry/facts'
export {
  type RunEnd,
  type RunTrace,
  setTracer,
  type TracedRun,
  type Tracer,
} from './lib/telemetry/tracer'
export {
  pruneResults,
  type PruneOptions,
  runUntilEmpty,
  type RunningWorker,
  type StopOptions,
  startWorker,
  type WorkerHealth,
  type WorkerState,
} from './lib/worker/start-worker'
export type {
  ClaimedRow,
  Exchange,
  Heartbeat,
  Held,
  Judge,
  Wakeup,
  Lost,
  Outcome,
  PruneAges,
  PruneQuery,
  ProgressNote,
  RefusedNote,
  Renewed,
  Reported,
  Rescued,
  Store,
  StoreOptions,
  TaskAges,
  ClaimFilter,
  WorkerRecord,
} from './lib/store'
export type { ErrorClass, Retry } from './lib/tasks/run-policy'
export {
  Flow,
  type FlowFailure,
  type FlowOutcome,
  type FlowOutcomes,
  group,
} from './lib/flows/flow'
export type { FlowOptions } from './lib/flows/steps'
export { FlowHandle } from './lib/flows/handle'
export { Task } from './lib/tasks/task'
export type { Debounce, Key, Throttle } from './lib/tasks/keys'
export type { CallOptions, TaskOptions } from './lib/tasks/task-options'
export { schedule } from './lib/schedules/define'
export { Schedule } from './lib/schedules/schedule'
export type { ScheduledUsing, ScheduleOptions } from './lib/schedules/schedule-options'
export type { Slot, SlotRow } from './lib/row/slot'
export type { WorkerReport } from './lib/worker/worker'
export type { IsolationOptions } from './lib/isolation/isolation-options'
export type { WorkerOptions } from './lib/worker/worker-options'

declare module './lib/settings/known-keys' {
  interface OptionsByPath {
    'typeorm-tasks/backends/immediate#ImmediateBackend': MemoryOptions
    'typeorm-tasks/backends/dummy#DummyBackend': MemoryOptions
    'typeorm-tasks/backends/database#DatabaseBackend': DatabaseOptions
    'typeorm-tasks/backends/bullmq#BullMQBackend': BullMQOptions
    'typeorm-tasks/backends/sharded#ShardedBackend': sharded.ShardedOptions
  }
}

registerBackend('typeorm-tasks/backends/immediate#ImmediateBackend', () => ImmediateBackend)
registerBackend('typeorm-tasks/backends/dummy#DummyBackend', () => DummyBackend)
registerBackend('typeorm-tasks/backends/database#DatabaseBackend', () => DatabaseBackend)
registerBackend('typeorm-tasks/backends/bullmq#BullMQBackend', () => {
  // Its packages are there only where somebody uses it.
  const { BullMQBackend } = require('./backends/bullmq') as typeof bullmq
  return BullMQBackend
})
registerBackend(
  'typeorm-tasks/backends/sharded#ShardedBackend',
  () => (require('./backends/sharded') as typeof sharded).ShardedBackend,
)

const unconfigured = new Map([['default', new UnconfiguredBackend()]])
backends.setFallback(() => unconfigured)
