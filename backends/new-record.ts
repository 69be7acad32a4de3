import type { Order } from '../lib/backend'
import type { ResultValues } from '../lib/record'
import { newId } from './ids'

/** The row an order would become; arguments take the way through JSON that they take in a database. */
export function valuesOf({ task, argsKwargs }: Order, alias: string): ResultValues {
  const { args, kwargs } = JSON.parse(argsKwargs) as Pick<ResultValues, 'args' | 'kwargs'>
  return {
    id: newId(),
    taskName: task.name,
    status: 'READY',
    enqueuedAt: new Date(),
    startedAt: null,
    finishedAt: null,
    args,
    kwargs,
    priority: task.priority,
    queueName: task.queueName,
    backend: alias,
    runAfter: task.runAfter,
    workerIds: [],
    errors: [],
    returnValue: null,
    progress: null,
  }
}
