import type * as cliProgress from 'cli-progress'
import type * as tinyglobby from 'tinyglobby'
import type * as define from '../lib/tasks/define'
import type * as startWorker from '../lib/worker/start-worker'
import type * as app from './app/load-app'
import type * as check from './commands/check'
import type * as dbWorker from './commands/db-worker'
import type * as enqueue from './commands/enqueue'
import type * as makemigrations from './commands/makemigrations'
import type * as makemigrationsCommand from './commands/makemigrations-command'
import type * as prune from './commands/prune-db-task-results'
import type * as results from './commands/results'
import type * as openedApp from './app/open-app'
import type * as processes from './process/supervisor'
import type * as reload from './process/reload-supervisor'
import type * as servedBackend from './backend-option'

/** The commands by their names, in the order of the help. */
export const lateCommands = {
  db_worker: () => (require('./commands/db-worker') as typeof dbWorker).dbWorkerCommand(),
  prune_db_task_results: () =>
    (require('./commands/prune-db-task-results') as typeof prune).pruneCommand(),
  makemigrations: () =>
    (
      require('./commands/makemigrations-command') as typeof makemigrationsCommand
    ).makemigrationsCommand(),
  check: () => (require('./commands/check') as typeof check).checkCommand(),
  enqueue: () => (require('./commands/enqueue') as typeof enqueue).enqueueCommand(),
  results: () => (require('./commands/results') as typeof results).resultsCommand(),
}

/**
 * What a command loads when it is to do its work, so that help and wrong calls need none of it. Never by `import()`:
 * what that loads for itself took a worker a tenth of its start.
 */
export const late = {
  app: () => require('./app/load-app') as typeof app,
  cliProgress: () => require('cli-progress') as typeof cliProgress,
  define: () => require('../lib/tasks/define') as typeof define,
  makemigrations: () => require('./commands/makemigrations') as typeof makemigrations,
  openedApp: () => require('./app/open-app') as typeof openedApp,
  processes: () => require('./process/supervisor') as typeof processes,
  reload: () => require('./process/reload-supervisor') as typeof reload,
  servedBackend: () => require('./backend-option') as typeof servedBackend,
  startWorker: () => require('../lib/worker/start-worker') as typeof startWorker,
  tinyglobby: () => require('tinyglobby') as typeof tinyglobby,
}
