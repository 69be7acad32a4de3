import { type ChildProcess, spawn } from 'node:child_process'
import { isReport, type Report } from '../health/report'

/** Signals that stop a process of this command line. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const

/** SIGHUP, sent when a terminal is closed, stops a worker as well, unless the app has a use of its own for it. */
export const WORKER_SIGNALS = [...SIGNALS, 'SIGHUP'] as const

/** The message by which a child process reports that its worker has started. */
const STARTED = 'typeorm-tasks: started'

/** The key of the message that says how the worker is. */
const HEALTH = 'typeorm-tasks: health'

/** The key of the message that lists loaded files. */
const LOADED = 'typeorm-tasks: loaded'

/** Runs this same command in a child process, with changed arguments. */
export function spawnSelf(change: (args: readonly string[]) => readonly string[]): ChildProcess {
  const [node = process.execPath, script = '', ...args] = process.argv
  // Detached, because Ctrl+C in a terminal signals the whole process group, and the supervisor passes it on as well.
  // The IPC channel disconnects when the supervisor is gone.
  return spawn(node, [...process.execArgv, script, ...change(args.filter((arg) => arg !== '--'))], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: process.platform !== 'win32',
  })
}

/** Reports to the supervisor, if there is one, that this process's worker has started. */
export function reportStarted(): void {
  // Errors are ignored: if the supervisor is gone, 'disconnect' handles it.
  process.send?.(STARTED, undefined, undefined, () => {})
}

/** Calls `listener` when the child's worker has started. */
export function onStarted(child: ChildProcess, listener: () => void): void {
  child.on('message', (message) => void (message === STARTED && listener()))
}

/** Tells the supervisor how this process's worker is. */
export function reportHealth(report: Report): void {
  process.send?.({ [HEALTH]: report }, undefined, undefined, () => {})
}

/** Calls `listener` with what the child says of its worker. */
export function onHealth(child: ChildProcess, listener: (report: Report) => void): void {
  child.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !(HEALTH in message)) return
    if (isReport(message[HEALTH])) listener(message[HEALTH])
  })
}

/** Reports to the process that watches, if there is one, which files of the app are loaded. */
export async function reportLoaded(files: readonly string[]): Promise<void> {
  await new Promise<void>((resolve) => {
    if (!process.send?.({ [LOADED]: files }, undefined, undefined, () => resolve())) resolve()
  })
}

/** Calls `listener` with the files that the child, or a child of it, has loaded. */
export function onLoaded(child: ChildProcess, listener: (files: string[]) => void): void {
  child.on('message', (message) => {
    if (typeof message === 'object' && message !== null && LOADED in message)
      listener(message[LOADED] as string[])
  })
}

/** True if a supervisor started this process: then 'disconnect' means that the supervisor is gone. */
export function isSupervised(): boolean {
  return process.send !== undefined
}
