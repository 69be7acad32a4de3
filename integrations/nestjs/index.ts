export { childApp } from './worker/child-app'
export { DashboardModule, type DashboardModuleOptions } from './dashboard-module'
export {
  type HandlerSchedule,
  TaskHandler,
  type TaskHandlerDecorator,
  type TaskHandlerOptions,
} from './handlers/task-handler'
export { type TasksHealth, TasksHealthIndicator, type TasksHealthResult } from './worker/health'
export { type TasksModuleAsyncOptions, type TasksModuleOptions } from './options'
export { TASK_RUN, TaskRun } from './handlers/task-run'
export { InjectTask, Tasks, type TasksOf } from './handlers/tasks'
export { TasksModule } from './tasks-module'
