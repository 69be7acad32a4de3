import type { WorkerRecord } from '#lib/store'

/** What a worker says of itself, whatever keeps it. */
export const workerRecord: WorkerRecord = {
  id: 'w-1/Ab3',
  host: 'höst',
  pid: 42,
  version: '0.1.0',
  queues: ['*', '-mail'],
  concurrency: 10,
  running: 3,
  upMs: 90_000,
  eventLoopDelayMs: 7,
  rssMib: 120,
}
