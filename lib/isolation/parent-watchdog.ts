import { workerData } from 'node:worker_threads'

/** Milliseconds between looks: well within the shortest lease, after which another worker may have the row. */
const LOOK = 250

const { parent } = workerData as { parent: number }

/** Ends this process when its parent is gone: a thread of its own sees that also while the main thread computes. */
setInterval(() => {
  if (!isThere()) process.kill(process.pid, 'SIGKILL')
}, LOOK)

/** A process whose parent is gone is given to another; on Windows it just has none any more. */
function isThere(): boolean {
  try {
    return process.ppid === parent && process.kill(parent, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
