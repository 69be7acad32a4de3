import type * as check from './check'
import type * as dashboard from './dashboard'
import type * as dbWorker from './db-worker'
import type * as enqueue from './enqueue'
import type * as health from './health'
import type * as init from './init'
import type * as makemigrations from './makemigrations'
import type * as prune from './prune-db-task-results'
import type * as queues from './queues'
import type * as relay from './relay'
import type * as results from './results'
import type * as schedules from './schedules'
import type * as workers from './workers'

/** The commands by name, in the order of the help. Each file is loaded only when its command is needed. */
export const lateCommands = {
  init: () => (require('./init') as typeof init).initCommand(),
  db_worker: () => (require('./db-worker') as typeof dbWorker).dbWorkerCommand(),
  relay: () => (require('./relay') as typeof relay).relayCommand(),
  prune_db_task_results: () => (require('./prune-db-task-results') as typeof prune).pruneCommand(),
  makemigrations: () =>
    (require('./makemigrations') as typeof makemigrations).makemigrationsCommand(),
  check: () => (require('./check') as typeof check).checkCommand(),
  enqueue: () => (require('./enqueue') as typeof enqueue).enqueueCommand(),
  results: () => (require('./results') as typeof results).resultsCommand(),
  queues: () => (require('./queues') as typeof queues).queuesCommand(),
  schedules: () => (require('./schedules') as typeof schedules).schedulesCommand(),
  workers: () => (require('./workers') as typeof workers).workersCommand(),
  health: () => (require('./health') as typeof health).healthCommand(),
  dashboard: () => (require('./dashboard') as typeof dashboard).dashboardCommand(),
}
