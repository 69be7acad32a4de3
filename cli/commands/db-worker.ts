import { join } from 'node:path'
import { Command, Option } from 'commander'
import type { TaskBackend } from '../../lib/backend'
import type { OpenWorker } from '../../lib/worker/start-worker'
import { MAX_WORKER_ID, WORKER_OPTIONS, type WorkerOptions } from '../../lib/worker/worker-options'
import { UsageError } from '../../lib/errors/errors'
import { log } from '../../lib/events/logger'
import { PATIENCE_MS, reaching } from '../../lib/worker/wait-for-database'
import { backendOption, doing, examples, type Globals, globalsOf, option } from '../command'
import { probeOptions } from '../health/options'
import type { ProbeOptions, Probes } from '../health/probes'
import { late } from '../lazy'
import { watchOf } from '../watch'
import { type FleetCall, fleetOptions } from '../process/fleet-options'
import { isSupervised, reportHealth, reportStarted } from '../process/self'
import { Shutdown } from '../process/shutdown'
import { during } from '../unfinished'
import { runningOf } from '../process/worker-stage'
import {
  inNames,
  inSeconds,
  queueNames,
  queueNamesOrAll,
  seconds,
  text,
  wholeNumber,
} from '../option-parsers'

interface DbWorkerOptions extends Globals, FleetCall, ProbeOptions {
  readonly queueName: readonly string[] | '*'
  readonly excludeQueues: readonly string[]
  readonly interval: number
  readonly reload?: boolean
  readonly backend: string
  readonly startupDelay: boolean
  readonly schedules: boolean
  readonly concurrency: number
  readonly shutdownTimeout: number
}

/** Longest random delay before a worker's first claim, in ms, so that workers started together do not poll in step. */
const STARTUP_DELAY_MS = 1_000
const MAX_PROCESSES = 256

export function dbWorkerCommand(): Command {
  const command = new Command('db_worker')
    .summary('run tasks')
    .description(
      'Runs tasks until it is stopped. SIGINT, SIGTERM, SIGQUIT and SIGHUP stop it after the running tasks have finished; a second SIGINT (Ctrl+C) stops it immediately.',
    )
  for (const each of [...queueOptions(), ...runOptions(), ...processOptions(), ...probeOptions()])
    command.addOption(each)
  return command
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

/** Which tasks the worker runs. */
function queueOptions(): Option[] {
  return [
    option(
      '--queue-name <names>',
      "Queues to serve, separated by commas; '*' for all.",
      queueNamesOrAll,
      WORKER_OPTIONS.queues.default,
      inNames,
    ),
    option(
      '--exclude-queues <names>',
      "Queues to skip, separated by commas; only with --queue-name '*'.",
      queueNames,
      WORKER_OPTIONS.excludeQueues.default,
      inNames,
    ),
    backendOption('Alias in TASKS of the backend to serve.', WORKER_OPTIONS.backend.default),
  ]
}

/** How long it runs, and how often it looks for tasks. */
function runOptions(): Option[] {
  return [
    option(
      '--interval <seconds>',
      'Seconds between checks for new tasks when the queues are empty.',
      seconds,
      WORKER_OPTIONS.interval.default,
      inSeconds,
    ),
    new Option('--batch', 'Exit when no task is left to run.'),
    option('--max-tasks <number>', 'Exit after this many tasks. (default: never)', (name) =>
      wholeNumber(name, { least: 0 }),
    ),
    new Option(
      '--no-startup-delay',
      `Start immediately. Otherwise waits a random time of up to ${inSeconds(STARTUP_DELAY_MS)} second, except with --batch or --interval 0.`,
    ),
    new Option('--no-schedules', 'Do not fire schedules. With --batch none are fired, either.'),
    new Option('--reload', 'Restart when source files change (development).'),
    new Option('--no-reload', 'Disable --reload.'),
  ]
}

/** Its processes: how many, what they are called, and how they stop. */
function processOptions(): Option[] {
  return [
    option(
      '--concurrency <number>',
      'Tasks to run at the same time, in each process.',
      (name) => wholeNumber(name, { least: 1 }),
      WORKER_OPTIONS.concurrency.default,
    ),
    option(
      '--processes <number>',
      `Worker processes, 1 to ${MAX_PROCESSES}; those that die are replaced.`,
      (name) => wholeNumber(name, { least: 1, most: MAX_PROCESSES }),
      1,
    ),
    option(
      '--worker-id <id>',
      `Name of this worker in worker_ids, at most ${MAX_WORKER_ID} characters. (default: random)`,
      (name) => text(name, MAX_WORKER_ID),
    ),
    option(
      '--shutdown-timeout <seconds>',
      'Seconds to wait for running tasks on shutdown; then they are aborted and requeued.',
      seconds,
      WORKER_OPTIONS.shutdownTimeout.default,
      inSeconds,
    ),
  ]
}

async function dbWorker(options: DbWorkerOptions): Promise<number> {
  const worker = workerOptions(options)
  const fleet = fleetOptions(options)
  if (isReloaded(options)) return late.reload().superviseReloads(options)
  // Before the app is loaded: what is wrong with the port or the file is told at once.
  const probes = await late.probes().Probes.open(options, reportHealth)
  try {
    if (fleet.processes > 1) return await late.processes().superviseProcesses(fleet, probes)
    return await runWorker(worker, options, probes)
  } finally {
    await probes.close()
  }
}

async function runWorker(
  worker: WorkerOptions,
  options: DbWorkerOptions,
  probes: Probes,
): Promise<number> {
  const reportLoaded =
    options.reload === false && isSupervised() ? late.loadedFiles().recordLoadedFiles() : undefined
  const shutdown = new Shutdown()
  const { withApp } = late.openedApp()
  try {
    const run = async (): Promise<number> => {
      await reportLoaded?.()
      return work(worker, options, shutdown, probes)
    }
    return await withApp(options, run, {
      patienceMs: PATIENCE_MS, // the database may still be starting
      needsTasks: true,
      atEnd: () => shutdown.passSignalOn(),
    })
  } finally {
    await reportLoaded?.()
  }
}

async function work(
  workerOptions: WorkerOptions,
  { backend: alias, queueName, excludeQueues, batch = false }: DbWorkerOptions,
  shutdown: Shutdown,
  probes: Probes,
): Promise<number> {
  const { servedBackend } = late.servedBackend()
  const { assertQueues, sayLeft } = late.servedQueues()
  const backend = servedBackend(alias)
  const queues = [queueName].flat()
  if (!queues.includes('*')) assertQueues('--queue-name', queues, backend)
  assertQueues('--exclude-queues', excludeQueues, backend)
  await reaching(() => backend.reach())
  const opened = await soundWorker(workerOptions, backend)
  if (!opened) return 1
  const worker = opened.start()
  reportStarted()
  probes.show(() => worker.health())
  shutdown.onStop(() => void worker.stop())
  shutdown.onForcedExit(() => worker.stop({ force: true }))
  const { abandoned } = await during(runningOf(opened), () => worker.finished)
  // The batch is done, whether or not the database still answers.
  if (batch) await sayLeft(queues, excludeQueues, backend).catch(() => {})
  return abandoned > 0 || shutdown.hasFaults ? 1 : 0
}

/** Checks the set-up while the worker connects, because both mostly wait for the database. Undefined if the check finds errors. */
async function soundWorker(
  options: WorkerOptions,
  backend: TaskBackend,
): Promise<OpenWorker | undefined> {
  const { isSound } = late.servedBackend()
  const opening = late.startWorker().openWorker(options, watchOf())
  opening.catch(() => {}) // the check reports what is wrong with the set-up
  if (await isSound(backend)) return opening
  await opening.then((worker) => worker.close()).catch(() => {})
  return undefined
}

function workerOptions({
  queueName: queues,
  excludeQueues,
  interval,
  batch = false,
  backend,
  startupDelay,
  schedules,
  maxTasks,
  workerId,
  concurrency,
  shutdownTimeout,
  ...app
}: DbWorkerOptions): WorkerOptions {
  if (queues !== '*' && excludeQueues.length > 0)
    throw new UsageError(
      "argument --exclude-queues: only valid with --queue-name '*'.",
      "Add --queue-name '*' or remove --exclude-queues.",
    )
  return {
    backend,
    queues,
    excludeQueues,
    interval,
    batch,
    concurrency,
    shutdownTimeout,
    schedules,
    isolation: { module: join(__dirname, '../app/isolated-app.js'), options: globalsOf(app) },
    startupDelay: startupDelay && interval > 0 && !batch ? STARTUP_DELAY_MS : 0,
    ...(maxTasks === undefined ? {} : { maxTasks }),
    ...(workerId === undefined ? {} : { workerId }),
  }
}

function isReloaded({ reload = false, batch = false }: DbWorkerOptions): boolean {
  if (reload && batch)
    log.warn('Warning: --reload and --batch cannot be specified together. Disabling autoreload.')
  return reload && !batch
}
