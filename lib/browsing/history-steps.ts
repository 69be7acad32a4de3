import type { TaskResult } from '../result'
import type { HistoryQuery, HistoryStep, Spread, TaskPage } from '../browser'

type Result = TaskResult<unknown>

/** What became of tasks, in steps of equal length. */
export function stepsOf(
  { from, to, steps }: Pick<HistoryQuery, 'from' | 'to' | 'steps'>,
  { tasks, next, searchedTo }: TaskPage,
): HistoryStep[] {
  const length = (to.getTime() - from.getTime()) / steps
  const within: Result[][] = Array.from({ length: steps }, () => [])
  for (const task of tasks) {
    const at = (task.enqueuedAt ?? from).getTime() - from.getTime()
    within[Math.min(steps - 1, Math.floor(at / length))]?.push(task)
  }
  const lookedTo = next === null ? null : (searchedTo ?? tasks.at(-1)?.enqueuedAt ?? null)
  return within.map((found, i) => {
    const start = new Date(from.getTime() + Math.round(i * length))
    return stepOf(start, found, lookedTo !== null && start < lookedTo)
  })
}

function stepOf(from: Date, tasks: readonly Result[], isEstimate: boolean): HistoryStep {
  const counts = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0 }
  for (const { status } of tasks) counts[status]++
  return {
    from,
    counts,
    isEstimate,
    wait: spreadOf(tasks, ({ runAfter, enqueuedAt, startedAt }) => [
      runAfter ?? enqueuedAt,
      startedAt,
    ]),
    run: spreadOf(tasks, ({ startedAt, finishedAt }) => [startedAt, finishedAt]),
  }
}

function spreadOf(
  tasks: readonly Result[],
  between: (task: Result) => readonly [Date | null, Date | null],
): Spread | null {
  const times = tasks
    .map(between)
    .flatMap(([start, end]) => (start && end ? [Math.max(0, end.getTime() - start.getTime())] : []))
    .toSorted((a, b) => a - b)
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0
  return times.length === 0 ? null : { p50: at(0.5), p95: at(0.95) }
}
