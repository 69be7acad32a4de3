import type { Problem } from '../../../lib/backend'
import type { Seen } from './seen'

/** The part of maxmemory from which on it is told. */
const FULL = 0.9

/** Problems of what a Redis does with tasks in its memory: whether it drops them, and what it has on disk. */
export function keepingProblems(seen: Seen, subject: string): Problem[] {
  return [
    policyProblem(seen, subject),
    fullProblem(seen, subject),
    brieflySaid(diskProblem(seen, subject), subject),
  ].filter((problem) => problem !== undefined)
}

/** On a machine for development it is mostly meant to be so, and a worker would tell the whole of it at each start. */
function brieflySaid(problem: Problem | undefined, subject: string): Problem | undefined {
  return (
    problem && {
      ...problem,
      brief: `${subject} may lose tasks when it stops: npx tasks check says why.`,
    }
  )
}

function policyProblem({ info, where }: Seen, subject: string): Problem | undefined {
  const policy = info('maxmemory_policy')
  if (policy === 'noeviction') return undefined
  if (policy === undefined)
    return warning(
      `${subject}, ${where} does not tell its settings (INFO is forbidden): its version, maxmemory-policy and persistence could not be looked at.`,
      'See yourself that maxmemory-policy is noeviction; with any other Redis drops tasks when its memory is full.',
    )
  const limit = Number(info('maxmemory') ?? 0)
  return {
    level: limit > 0 ? 'error' : 'warning',
    message: `${subject}, ${where} has maxmemory-policy ${policy}: it ${limit > 0 ? 'drops' : 'would drop, once maxmemory is set,'} ${policy.startsWith('volatile') ? 'leases' : 'tasks'} without a word when its memory is full.`,
    hint: 'Set maxmemory-policy to noeviction; a cache belongs in a Redis of its own.',
  }
}

function fullProblem({ info, where }: Seen, subject: string): Problem | undefined {
  const limit = Number(info('maxmemory') ?? 0)
  const used = Number(info('used_memory') ?? 0)
  if (limit === 0 || used < limit * FULL) return undefined
  return warning(
    `${subject}, ${where} uses ${Math.floor((used / limit) * 100)} % of its maxmemory: when that is full, every enqueue fails.`,
    'Give it more memory, or keep results for a shorter time (OPTIONS.keepResults).',
  )
}

function diskProblem({ info, setting, where }: Seen, subject: string): Problem | undefined {
  const appends = info('aof_enabled')
  if (appends === undefined) return undefined
  const [fsync, save] = [setting('appendfsync'), setting('save')]
  if (fsync === undefined || save === undefined)
    return appends === '1'
      ? undefined
      : warning(
          `${subject}, ${where} appends to no file (appendonly no), and does not tell whether it takes snapshots (CONFIG is forbidden): tasks since the last one, or all, are lost when it stops without warning.`,
          'See what your provider keeps on disk, and turn its AOF on for tasks that must not be lost.',
        )
  if (appends !== '1') return snapshotsOnly(save, where, subject)
  if (fsync !== 'no') return undefined
  return warning(
    `${subject}, ${where} has appendfsync no: a host that stops without warning loses what its system has not yet written, about half a minute of tasks.`,
    'Set appendfsync to everysec (a second at most is lost), or to always (nothing is).',
  )
}

function snapshotsOnly(save: string, where: string, subject: string): Problem {
  if (save === '')
    return warning(
      `${subject}, ${where} keeps nothing on disk (appendonly no, and no snapshots): a restart loses all tasks and results.`,
      'Set appendonly to yes; appendfsync everysec then loses a second at most, always nothing.',
    )
  return warning(
    `${subject}, ${where} keeps snapshots only (appendonly no; save ${save}): a restart loses what was enqueued since the last one, and tasks that have run since then run again.`,
    'Set appendonly to yes; appendfsync everysec then loses a second at most, always nothing.',
  )
}

function warning(message: string, hint: string): Problem {
  return { level: 'warning', message, hint }
}
