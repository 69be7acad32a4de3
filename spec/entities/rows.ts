import type { DBTaskResult } from '../../entities'
import { NO_DELAY } from '../../entities/formats'

let made = 0

/** A row that waits, with an id of its own. */
export function readyRow(differently: Partial<DBTaskResult> = {}): DBTaskResult {
  made += 1
  return {
    id: `0190b6a0-1111-7abc-8000-${String(made).padStart(12, '0')}`,
    status: 'READY',
    enqueuedAt: new Date('2026-07-01T10:00:00.123Z'),
    startedAt: null,
    finishedAt: null,
    argsKwargs: { args: [], kwargs: {} },
    priority: 0,
    taskPath: 'mail.send',
    workerIds: [],
    queueName: 'default',
    backendName: 'default',
    runAfter: NO_DELAY,
    returnValue: null,
    exceptionClassPath: '',
    traceback: '',
    claims: 0,
    leaseUntil: null,
    cancelRequestedAt: null,
    uniqueKey: null,
    attemptErrors: null,
    progress: null,
    options: null,
    ...differently,
  }
}
