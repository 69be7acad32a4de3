import { type ChildProcess, spawn } from 'node:child_process'

/** Signals that stop a process of this command line. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const

/** The message by which a child process reports that its worker has started. */
const STARTED = 'typeorm-tasks: started'

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

/** True if a supervisor started this process: then 'disconnect' means that the supervisor is gone. */
export function isSupervised(): boolean {
  return process.send !== undefined
}
