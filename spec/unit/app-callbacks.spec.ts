import { setTimeout as sleep } from 'node:timers/promises'
import { DoNotRetry, RetryLater, TaskContext, type TaskResult, WorkerStops } from 'typeorm-tasks'
import { task } from '#define'
import { didYouMean } from '../../lib/errors/suggestions'
import { recordOf } from '#error-record'
import { failed, type Failure } from '../../lib/execution/run-outcome'
import type { Retry } from '../../lib/tasks/run-policy'
import { WatchedStore } from '../support/watched-store'
import { catchLog } from '../support/tasks'

const store = new WatchedStore()

/** What becomes of a run that threw `cause`, of a task with that `retry`. */
function outcomeOf(cause: unknown, retry: Retry | null = null, reason?: Error): Failure {
  const row = store.claimed(store.add('spec.callbacks'))
  const abort = new AbortController()
  if (reason) abort.abort(reason)
  const policy = { retry, timeLimit: null, maxAge: null, rerunAfterCrash: true }
  return failed(cause, { row, policy, signal: abort.signal })
}

/** An error with a getter that throws. */
function withGetter<Kind extends Error>(error: Kind, name: string): Kind {
  return Object.defineProperty(error, name, {
    get: () => {
      throw new Error(`no ${name}`)
    },
  })
}

describe('retryOn', () => {
  it('is refused where it is async', () => {
    const retryOn = (async () => false) as never
    expect(() => task('callbacks.async', () => {}, { retry: { maxAttempts: 2, retryOn } })).toThrow(
      /retry\.retryOn: expected a list of error classes, or a function that is not async/,
    )
  })

  const promises: [string, () => unknown][] = [
    ['that resolves to false', () => Promise.resolve(false)],
    ['that resolves to true', () => Promise.resolve(true)],
    ['that rejects', () => Promise.reject(new Error('no'))],
  ]
  it.each(promises)('that gives a promise %s is no yes, and is logged', async (_, retryOn) => {
    const lines = catchLog()
    const unhandled: unknown[] = []
    const hear = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', hear)

    const { delay } = outcomeOf(new Error('it'), { maxAttempts: 3, retryOn: retryOn as never })
    await sleep(5)

    process.off('unhandledRejection', hear)
    expect({ delay, unhandled }).toEqual({ delay: null, unhandled: [] })
    expect(lines).toEqual([['error', expect.stringContaining('no promise is awaited here')]])
  })
})

describe('an error of an app', () => {
  const hostile: [string, Error][] = [
    ['DoNotRetry with a cause', withGetter(new DoNotRetry('final'), 'cause')],
    ['RetryLater with a delay', withGetter(new RetryLater(1), 'delay')],
    ['RetryLater with a cause', withGetter(new RetryLater(1), 'cause')],
    ['an Error with a name', withGetter(new Error('it'), 'name')],
    ['an Error with a cause', withGetter(new Error('it'), 'cause')],
    ['an AggregateError with errors', withGetter(new AggregateError([], 'it'), 'errors')],
    ['an Error with a message', withGetter(new Error('it'), 'message')],
  ]
  it.each(hostile)('%s that throws when it is read fails its task', (_, error) => {
    catchLog()
    const outcome = outcomeOf(error, { maxAttempts: 1 }, new WorkerStops())
    expect(outcome).toMatchObject({ status: 'FAILED', isDueToStop: false })
    expect(outcome.error.traceback).not.toBe('')
  })

  it('that was thrown to end retries is recorded where its cause cannot be read', () => {
    const { error } = outcomeOf(withGetter(new DoNotRetry('final'), 'cause'))
    expect(error.exceptionClassPath).toBe('typeorm_tasks.DoNotRetry')
    expect(error.traceback).toContain('final')
  })
})

describe('a number that a task cannot have meant', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 2 ** 31])(
    'RetryLater(%d) is an error, after which retry decides as after any other',
    (delay) => {
      expect(
        outcomeOf(
          thrownBy(() => new RetryLater(delay)),
          { maxAttempts: 3 },
        ),
      ).toMatchObject({
        error: { exceptionClassPath: 'typeorm_tasks.InvalidCallError' },
        delay: expect.any(Number),
      })
    },
  )

  it('reportProgress(NaN): the same', () => {
    const context = new TaskContext({} as TaskResult<unknown>, {
      signal: new AbortController().signal,
      report: () => {},
    })
    expect(
      outcomeOf(
        thrownBy(() => context.reportProgress(Number.NaN)),
        { maxAttempts: 3 },
      ),
    ).toMatchObject({ delay: expect.any(Number) })
  })
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('it threw nothing')
}

describe('an AggregateError', () => {
  const both = new AggregateError([new TypeError('one'), new RangeError('two')], 'both')

  it('is recorded with the errors in it', () => {
    const { exceptionClassPath, traceback } = recordOf(both)
    expect(exceptionClassPath).toBe('AggregateError')
    expect(traceback.split('\n')[0]).toBe('AggregateError: both')
    expect(traceback).toContain('\nError 1 of 2: TypeError: one\n')
    expect(traceback).toContain('\nError 2 of 2: RangeError: two\n')
  })

  it('is recorded with the first three of many, and with its cause', () => {
    const many = Array.from({ length: 5 }, (_, i) => new Error(`error ${i}`))
    const { traceback } = recordOf(new AggregateError(many, 'many', { cause: new Error('why') }))
    expect(traceback.match(/^Error \d of 5: Error: error \d$/gm)).toEqual([
      'Error 1 of 5: Error: error 0',
      'Error 2 of 5: Error: error 1',
      'Error 3 of 5: Error: error 2',
    ])
    expect(traceback).toContain('… 2 more')
    expect(traceback).toContain('Caused by: Error: why')
  })

  it('ends, though it is in itself', () => {
    const circle = new AggregateError([], 'circle')
    circle.errors.push(circle, circle, circle)
    expect(recordOf(circle).traceback.length).toBeLessThan(70_000)
  })
})

it('a name of 50 MB gets no suggestion, at once', () => {
  const before = performance.now()
  expect(didYouMean('x'.repeat(50 * 1024 * 1024), ['mail.send', 'x'])).toBeUndefined()
  expect(performance.now() - before).toBeLessThan(50)
})
