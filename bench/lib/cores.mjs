import { execFileSync, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/**
 * For a server that works on one core: what its command begins with to have that core alone, and which cores are left for its
 * clients. Where Linux puts both is by chance, and makes a difference of two: on one core a producer that awaits each answer is
 * faster, on two all else is. Undefined where that cannot be said (no `taskset`, one core).
 */
export function ownCore() {
  const count = availableParallelism()
  if (count < 2 || spawnSync('taskset', ['--version']).status !== 0) return undefined
  return { server: ['taskset', '-c', '0'], others: `1-${count - 1}` }
}

/** Puts this process, with all its threads, on these cores, as `ownCore` gives them. */
export function moveTo(cores) {
  if (cores === undefined) return
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(process.pid)], {
    stdio: 'ignore',
  })
}
