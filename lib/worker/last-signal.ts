/** Signals by which a process is usually ended. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const

const giveBacks = new Set<() => Promise<unknown>>()

/**
 * Calls `giveBack`, which must be short, before a signal ends the process, until the returned function is called. For a worker
 * that is stopping: Nest's shutdown hooks, for example, send the signal again when the app is closed, and then nothing
 * listens for it any more. Where something else listens, that decides.
 */
export function beforeLastSignal(giveBack: () => Promise<unknown>): () => void {
  if (giveBacks.size === 0) for (const signal of SIGNALS) process.on(signal, onSignal)
  giveBacks.add(giveBack)
  return () => {
    giveBacks.delete(giveBack)
    if (giveBacks.size === 0) for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  const all = [...giveBacks].map(async (giveBack) => await giveBack())
  void Promise.allSettled(all).then(() => {
    for (const each of SIGNALS) process.off(each, onSignal)
    process.kill(process.pid, signal)
  })
}
