import { join } from 'node:path'
import { Command } from 'commander'
import type { OpenWorker } from '../../lib/worker/start-worker'
import type { WorkerOptions } from '../../lib/worker/worker-options'
import { UsageError } from '../../lib/errors/errors'
import { log } from '../../lib/events/logger'
import { PATIENCE_MS } from '../../lib/worker/wait-for-database'
import { backendOption, doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { tellAtWork } from '../process/self'
import { Shutdown } from '../process/shutdown'
import { queueNames, queueNamesOrAll, seconds, text, wholeNumber } from '../option-parsers'
import type { PlaceWish } from '../process/supervised-worker'

interface DbWorkerOptions extends Globals {
  readonly queueName: string[] | '*'
  readonly excludeQueues: string[]
  readonly interval: number
  readonly batch?: boolean
  readonly reload?: boolean
  readonly backend: string
  readonly startupDelay: boolean
  readonly maxTasks?: number
  readonly workerId?: string
  readonly concurrency: number
  readonly processes: number
  readonly shutdownTimeout: number
}

/** At most so long does a worker wait at its start, lest many that stay ask in step. One of a batch does not stay. */
const STARTUP_DELAY = 1_000
const MAX_WORKER_ID = 64
const MAX_PROCESSES = 256

export function dbWorkerCommand(): Command {
  return new Command('db_worker')
    .summary('run tasks')
    .description(
      'Runs tasks until it is stopped. SIGINT, SIGTERM and SIGQUIT let running tasks finish; a second SIGINT (Ctrl+C) leaves at once.',
    )
    .addOption(
      option(
        '--queue-name <names>',
        "Queues to serve, with commas between them; '*' for all.",
        queueNamesOrAll,
        ['default'],
        'default',
      ),
    )
    .addOption(
      option(
        '--exclude-queues <names>',
        "Queues to leave alone, with commas between them; only with --queue-name '*'.",
        queueNames,
        [],
        'none',
      ),
    )
    .addOption(
      option(
        '--interval <seconds>',
        'Seconds between looks for new tasks when there was nothing to do.',
        seconds,
        1_000,
        '1',
      ),
    )
    .option('--batch', 'End when nothing is left to run.')
    .option(
      '--reload',
      'Start anew when source files of the app change, for development; default: off.',
    )
    .option('--no-reload', 'Do not, even if an earlier option says so.')
    .addOption(backendOption('The alias in TASKS of the backend to serve.'))
    .option(
      '--no-startup-delay',
      'Start at once, without a random wait of up to 1 second; --batch and an interval of 0 do the same.',
    )
    .addOption(
      option('--max-tasks <number>', 'End after so many tasks; default: never.', (name) =>
        wholeNumber(name, { least: 0 }),
      ),
    )
    .addOption(
      option(
        '--worker-id <id>',
        `The name of this worker in worker_ids, at most ${MAX_WORKER_ID} characters; default: random.`,
        (name) => text(name, MAX_WORKER_ID),
      ),
    )
    .addOption(
      option(
        '--concurrency <number>',
        'Tasks run at a time.',
        (name) => wholeNumber(name, { least: 1 }),
        10,
      ),
    )
    .addOption(
      option(
        '--processes <number>',
        'Worker processes, each with that concurrency; those that die are replaced.',
        (name) => wholeNumber(name, { least: 1, most: MAX_PROCESSES }),
        1,
      ),
    )
    .addOption(
      option(
        '--shutdown-timeout <seconds>',
        'Seconds that running tasks have to finish when the worker is stopped; then they are told to, and given back.',
        seconds,
        30_000,
        '30',
      ),
    )
    .addHelpText(
      'after',
      examples(
        'npx tasks db_worker --queue-name default,mail --concurrency 20',
        'npx tasks db_worker --processes 4',
        "npx tasks db_worker --queue-name '*' --exclude-queues slow --batch",
      ),
    )
    .action(doing(dbWorker))
}

async function dbWorker(options: DbWorkerOptions): Promise<number> {
  const wish = workerOptions(options)
  const fleet = fleetOptions(options)
  if (isReloaded(options)) return late.reload().superviseReloads(options.dataSource)
  if (fleet.processes > 1) return late.processes().superviseProcesses(fleet)
  const shutdown = new Shutdown()
  const { withApp } = late.openedApp()
  // The database may have been started in the same moment.
  return withApp(options, () => work(wish, options, shutdown), PATIENCE_MS)
}

async function work(
  wish: WorkerOptions,
  { backend }: DbWorkerOptions,
  shutdown: Shutdown,
): Promise<number> {
  const opened = await soundWorker(wish, backend)
  if (!opened) return 1
  const worker = opened.start()
  tellAtWork()
  const ended = { inOrder: false }
  // A task that calls process.exit(0) must not make this look like a worker that was done.
  process.on('exit', (code) => void (ended.inOrder || code !== 0 || (process.exitCode = 1)))
  shutdown.whenAsked(() => void worker.stop())
  shutdown.whenForced(() => worker.leave())
  const { abandoned } = await worker.finished.finally(() => (ended.inOrder = true))
  return abandoned > 0 || shutdown.hasFaults ? 1 : 0
}

/** Checks the set-up while the worker's connections are made: both wait for the database most of their time. */
async function soundWorker(wish: WorkerOptions, alias: string): Promise<OpenWorker | undefined> {
  const { isSound, servedBackend } = late.servedBackend()
  const backend = servedBackend(alias)
  const opening = late.startWorker().openWorker(wish)
  opening.catch(() => {}) // what is wrong with the set-up is told by its check
  if (await isSound(backend)) return opening
  await opening.then((worker) => worker.close()).catch(() => {})
  return undefined
}

function workerOptions({
  dataSource,
  verbosity,
  queueName: queues,
  excludeQueues,
  interval,
  batch = false,
  backend,
  startupDelay,
  maxTasks,
  workerId,
  concurrency,
  shutdownTimeout,
}: DbWorkerOptions): WorkerOptions {
  if (queues !== '*' && excludeQueues.length > 0)
    throw new UsageError(
      "argument --exclude-queues: goes with --queue-name '*' only.",
      "Add --queue-name '*', or leave it out.",
    )
  return {
    backend,
    queues,
    excludeQueues,
    interval,
    batch,
    concurrency,
    shutdownTimeout,
    isolation: {
      module: join(__dirname, '../app/isolated-app.js'),
      options: { dataSource, verbosity },
    },
    startupDelay: startupDelay && interval > 0 && !batch ? STARTUP_DELAY : 0,
    ...(maxTasks === undefined ? {} : { maxTasks }),
    ...(workerId === undefined ? {} : { workerId }),
  }
}

function fleetOptions({
  processes,
  workerId,
  batch = false,
  maxTasks,
}: DbWorkerOptions): PlaceWish {
  const room = MAX_WORKER_ID - `-${processes}`.length
  if (processes > 1 && workerId !== undefined && workerId.length > room)
    throw new UsageError(
      `argument --worker-id: expected at most ${room} characters, got ${workerId.length}, as ${processes} processes add -1 to -${processes} to it.`,
      'Shorten it.',
    )
  return { processes, workerId, batch, mayBeDone: batch || maxTasks !== undefined }
}

function isReloaded({ reload = false, batch = false }: DbWorkerOptions): boolean {
  if (reload && batch)
    log.warn('Warning: --reload and --batch cannot be specified together. Disabling autoreload.')
  return reload && !batch
}
