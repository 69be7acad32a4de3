import type * as cliProgress from 'cli-progress'
import type * as bullmqBackend from '../backends/bullmq'
import type * as databaseBackend from '../backends/database/backend'
import type * as init from './init/init'
import type * as initMigration from './init/migration'
import type * as listWorkers from '../backends/database/workers/list'
import type * as define from '../lib/tasks/define'
import type * as startWorker from '../lib/worker/start-worker'
import type * as dashboard from './dashboard/serve'
import type * as askHealth from './health/ask'
import type * as probes from './health/probes'
import type * as foundResult from './backends/found'
import type * as places from './backends/places'
import type * as exported from './app/exports'
import type * as loadApp from './app/load-app'
import type * as app from './app/nest-app'
import type * as makemigrations from './migrations/makemigrations'
import type * as noTasks from './app/no-tasks'
import type * as openedApp from './app/open-app'
import type * as loadedFiles from './process/loaded-files'
import type * as processes from './process/supervisor'
import type * as queueStates from './queues/states'
import type * as reload from './process/reload-supervisor'
import type * as runBars from './terminal/run-bars'
import type * as runLines from './terminal/run-lines'
import type * as watchResults from './results/watch'
import type * as servedBackend from './backend-option'
import type * as servedQueues from './served-queues'

/**
 * Modules that a command loads when it starts its work, so that help and wrong calls load none of them. By `require`, not
 * `import()`: the ES module loader took a tenth of a worker's start-up time.
 */
export const late = {
  app: () => require('./app/nest-app') as typeof app,
  askHealth: () => require('./health/ask') as typeof askHealth,
  bullmqBackend: () => require('../backends/bullmq') as typeof bullmqBackend,
  cliProgress: () => require('cli-progress') as typeof cliProgress,
  dashboard: () => require('./dashboard/serve') as typeof dashboard,
  databaseBackend: () => require('../backends/database/backend') as typeof databaseBackend,
  define: () => require('../lib/tasks/define') as typeof define,
  listWorkers: () => require('../backends/database/workers/list') as typeof listWorkers,
  exports: () => require('./app/exports') as typeof exported,
  foundResult: () => require('./backends/found') as typeof foundResult,
  init: () => require('./init/init') as typeof init,
  initMigration: () => require('./init/migration') as typeof initMigration,
  loadedFiles: () => require('./process/loaded-files') as typeof loadedFiles,
  loadApp: () => require('./app/load-app') as typeof loadApp,
  makemigrations: () => require('./migrations/makemigrations') as typeof makemigrations,
  noTasks: () => require('./app/no-tasks') as typeof noTasks,
  openedApp: () => require('./app/open-app') as typeof openedApp,
  places: () => require('./backends/places') as typeof places,
  probes: () => require('./health/probes') as typeof probes,
  processes: () => require('./process/supervisor') as typeof processes,
  queueStates: () => require('./queues/states') as typeof queueStates,
  reload: () => require('./process/reload-supervisor') as typeof reload,
  runBars: () => require('./terminal/run-bars') as typeof runBars,
  runLines: () => require('./terminal/run-lines') as typeof runLines,
  servedBackend: () => require('./backend-option') as typeof servedBackend,
  servedQueues: () => require('./served-queues') as typeof servedQueues,
  watchResults: () => require('./results/watch') as typeof watchResults,
  startWorker: () => require('../lib/worker/start-worker') as typeof startWorker,
}
