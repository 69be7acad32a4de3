import type * as cliProgress from 'cli-progress'
import type * as startWorker from '../lib/start-worker'
import type * as app from './app'
import type * as makemigrations from './commands/makemigrations'
import type * as openedApp from './opened-app'
import type * as processes from './processes'
import type * as reload from './reload'
import type * as servedBackend from './served-backend'
import type * as storedResults from './stored-results'

/**
 * What a command loads when it is to do its work, so that help and wrong calls need none of it. Never by `import()`:
 * what that loads for itself took a worker a tenth of its start.
 */
export const late = {
  app: () => require('./app') as typeof app,
  cliProgress: () => require('cli-progress') as typeof cliProgress,
  makemigrations: () => require('./commands/makemigrations') as typeof makemigrations,
  openedApp: () => require('./opened-app') as typeof openedApp,
  processes: () => require('./processes') as typeof processes,
  reload: () => require('./reload') as typeof reload,
  servedBackend: () => require('./served-backend') as typeof servedBackend,
  startWorker: () => require('../lib/start-worker') as typeof startWorker,
  storedResults: () => require('./stored-results') as typeof storedResults,
}
