import { type ChildProcess, spawn } from 'node:child_process'

/** What asks a process of this command line to end. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const

const AT_WORK = 'typeorm-tasks: at work'

/** Runs this same command again in a child process, its arguments changed. */
export function spawnSelf(change: (args: readonly string[]) => readonly string[]): ChildProcess {
  const [node = process.execPath, script = '', ...args] = process.argv
  // A group of its own, since Ctrl+C would reach it from the terminal and from here; its channel tells it when we are gone.
  return spawn(node, [...process.execArgv, script, ...change(args.filter((arg) => arg !== '--'))], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: process.platform !== 'win32',
  })
}

/** Lets the process that started this one know that its worker has started. */
export function tellAtWork(): void {
  // Whoever started this may be gone, which 'disconnect' tells; a failed message is no second trouble.
  process.send?.(AT_WORK, undefined, undefined, () => {})
}

/** Calls back when the child's worker has started. */
export function onAtWork(child: ChildProcess, listener: () => void): void {
  child.on('message', (message) => void (message === AT_WORK && listener()))
}

/** Whether the process that started this one watches over it: then a 'disconnect' says that it is gone. */
export function isWatched(): boolean {
  return process.send !== undefined
}
