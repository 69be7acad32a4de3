import type { Problem } from '../../../../lib/backend'
import type { QueueState } from '../../../../lib/browser'

/** For how many ms a row waits before something is wrong: a relay takes it within a second. */
const LONG_MS = 60_000

/** A warning of rows that have waited for long, though they are due. `queues`: of the table alone. */
export function waitingProblems(alias: string, queues: readonly QueueState[]): Problem[] {
  const oldestMs = Math.max(...queues.map(({ oldestDueMs }) => oldestDueMs ?? 0), 0)
  if (oldestMs < LONG_MS) return []
  const due = queues.reduce((all, each) => all + each.due, 0)
  return [
    {
      level: 'warning',
      message: `${due} task(s) of TASKS.${alias} wait in the database for the relay, the oldest for ${Math.round(oldestMs / LONG_MS)} min: no relay is running, or it cannot get them to Redis.`,
      hint: `Run a worker (\`npx tasks db_worker --backend ${alias}\`) or a relay (\`npx tasks relay --backend ${alias}\`). If one runs, its log says why.`,
    },
  ]
}
