import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { backends } from '../backend-registry'
import { recordOf } from '../errors/error-record'
import { load } from './load-module'
import { enterChild } from './isolation-options'
import { type FromChild, type ToChild, isOurs } from './ipc-messages'
import { ownFile } from './own-files'
import { TaskHost } from './task-host'

/** The child process itself, as `fork` starts it: it loads the app, and then runs what its worker hands it, one task at a time. */
const host = new TaskHost(tell)
/** Kept, since a task might take it away. */
const send = process.send?.bind(process)
let leave: () => unknown = () => {}

enterChild()
watchParent()
// A terminal sends Ctrl+C, and the SIGHUP of its end, to all: the worker decides what that means for a run.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const)
  process.on(signal, () => {})
process.on('message', (message) => isOurs(message) && hear(message as ToChild))
process.once('disconnect', () => void end())
process.on('uncaughtExceptionMonitor', (error) =>
  tell({ typeormTasks: 'fault', error: recordOf(error), isOfEarlierRun: host.isAtEarlierRun }),
)

function hear(message: ToChild): void {
  if (message.typeormTasks === 'load') void begin(message)
  else if (message.typeormTasks === 'run') void host.run(message)
  else if (message.typeormTasks === 'abort') host.abort(message.reason)
  else host.complete(message.outcome)
}

async function begin({ module, options }: ToChild & { typeormTasks: 'load' }): Promise<void> {
  try {
    leave = await load(module, JSON.parse(options) as unknown)
    tell({ typeormTasks: 'ready' })
  } catch (error) {
    tell({ typeormTasks: 'broken', error: recordOf(error), isPassing: isPassing(error) })
  }
}

/** Whether the app may load a moment later, by what its backends know of the error. */
function isPassing(error: unknown): boolean {
  try {
    return backends.all().some((backend) => backend.isAway(error))
  } catch {
    return false
  }
}

/** Nobody would hear what a run comes to; an idle process closes what the app has opened. */
async function end(): Promise<void> {
  try {
    if (!host.isBusy) await leave()
  } finally {
    process.exit()
  }
}

function watchParent(): void {
  const limits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 8 }
  // Its text, since a thread without loaders finds no file within an archive, as Yarn's Plug'n'Play has them.
  new Worker(readFileSync(ownFile('parent-watchdog'), 'utf8'), {
    eval: true,
    workerData: { parent: process.ppid },
    env: {},
    execArgv: [],
    resourceLimits: limits,
  }).unref()
}

function tell(message: FromChild): void {
  if (process.connected) send?.(message, undefined, undefined, () => {})
}
