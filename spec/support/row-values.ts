import type { DBTaskResult } from '#entities'
import { NO_DELAY } from '#formats'

const ours = {
  claims: 0,
  leaseUntil: null,
  cancelRequestedAt: null,
  uniqueKey: null,
  attemptErrors: null,
  progress: null,
  options: null,
}

/** The part of a row that Django knows. */
export type DjangoRow = Omit<DBTaskResult, keyof typeof ours>

/** A row that waits, with an id of its own. */
export function readyRow(differently: Partial<DBTaskResult> = {}): DBTaskResult {
  return { ...djangoRow(), ...ours, ...differently }
}

/** The same without the columns that Django does not know. */
export function djangoRow(): DjangoRow {
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
  }
}

let made = 0
