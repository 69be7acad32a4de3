import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningWorker, WorkerHealth } from 'typeorm-tasks'

/** Time in ms after which a worker that is not as expected fails its spec. */
const PATIENCE_MS = 30_000

/** Resolves once the health of the worker has these values. */
export async function becomes(
  worker: Pick<RunningWorker, 'health'>,
  expected: Partial<WorkerHealth>,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  const isSo = (): boolean => {
    const health = worker.health()
    return Object.entries(expected).every(
      ([key, value]) => String(health[key as keyof WorkerHealth]) === String(value),
    )
  }
  while (!isSo()) {
    if (Date.now() > deadline) expect(worker.health()).toMatchObject(expected)
    await sleep(20)
  }
}
