import type * as cliProgress from 'cli-progress'
import type * as define from '../lib/tasks/define'
import type * as startWorker from '../lib/worker/start-worker'
import type * as app from './app/load-app'
import type * as makemigrations from './migrations/makemigrations'
import type * as openedApp from './app/open-app'
import type * as processes from './process/supervisor'
import type * as reload from './process/reload-supervisor'
import type * as runBars from './terminal/run-bars'
import type * as runLines from './terminal/run-lines'
import type * as servedBackend from './backend-option'

/**
 * Modules that a command loads when it starts its work, so that help and wrong calls load none of them. By `require`, not
 * `import()`: the ES module loader took a tenth of a worker's start-up time.
 */
export const late = {
  app: () => require('./app/load-app') as typeof app,
  cliProgress: () => require('cli-progress') as typeof cliProgress,
  define: () => require('../lib/tasks/define') as typeof define,
  makemigrations: () => require('./migrations/makemigrations') as typeof makemigrations,
  openedApp: () => require('./app/open-app') as typeof openedApp,
  processes: () => require('./process/supervisor') as typeof processes,
  reload: () => require('./process/reload-supervisor') as typeof reload,
  runBars: () => require('./terminal/run-bars') as typeof runBars,
  runLines: () => require('./terminal/run-lines') as typeof runLines,
  servedBackend: () => require('./backend-option') as typeof servedBackend,
  startWorker: () => require('../lib/worker/start-worker') as typeof startWorker,
}
