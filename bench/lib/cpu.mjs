import { existsSync, readdirSync, readFileSync } from 'node:fs'

// The kernel counts in hundredths of a second on every Linux there is.
const TICKS = 100

/** CPU seconds a server has used so far: its process, those below it, and those below it that have ended. NaN where /proc is missing. */
export function cpuOf(pid) {
  if (pid === undefined) return 0
  if (!existsSync('/proc/self/stat')) return Number.NaN
  const own = statOf(pid)
  if (own === undefined) return Number.NaN
  return (
    (own.self + own.ended + childrenOf(pid).reduce((sum, child) => sum + child.self, 0)) / TICKS
  )
}

function childrenOf(parent) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(statOf).filter((stat) => stat?.parent === parent)
}

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name may hold spaces and brackets; what follows the last one are numbers.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    return { parent: fields[1], self: fields[11] + fields[12], ended: fields[13] + fields[14] }
  } catch {
    return undefined
  }
}
