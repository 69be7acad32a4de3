import { DoNotRetry, PublicError, publicResponse, publicView, TaskResult } from 'typeorm-tasks'
import { recordOf } from '#error-record'

class NoSeatLeft extends PublicError {}
class Lost extends DoNotRetry {}

const source = {
  getResult: () => Promise.reject(new Error('not asked')),
  cancel: () => Promise.reject(new Error('not asked')),
}

function resultWith(values: object): TaskResult<{ sum: number }> {
  return new TaskResult(source, {
    id: '01981c1e-7c2a-7b3c-8d4e-5f6071829304',
    taskName: 'spec.add',
    status: 'READY',
    enqueuedAt: new Date(1_000),
    startedAt: null,
    finishedAt: null,
    args: ['secret'],
    kwargs: {},
    priority: 0,
    queueName: 'default',
    backend: 'default',
    runAfter: null,
    workerIds: ['worker-of-host'],
    errors: [],
    returnValue: null,
    progress: null,
    ...values,
  })
}

const messageOf = (thrown: unknown): string | undefined =>
  publicView(resultWith({ status: 'FAILED', errors: [recordOf(thrown)] })).error?.message

it('a view holds what a user may see, and nothing else', () => {
  const progress = { done: 1, total: 2, note: null }
  expect(publicView(resultWith({ progress }))).toEqual({
    id: '01981c1e-7c2a-7b3c-8d4e-5f6071829304',
    status: 'READY',
    isWaiting: false,
    progress,
    enqueuedAt: new Date(1_000),
    startedAt: null,
    finishedAt: null,
  })
})

it('the return value is there once the task is SUCCESSFUL', () => {
  const returnValue = { sum: 3 }
  expect(publicView(resultWith({ status: 'SUCCESSFUL', returnValue })).returnValue).toEqual({
    sum: 3,
  })
  expect(publicView(resultWith({ status: 'RUNNING', returnValue }))).not.toHaveProperty(
    'returnValue',
  )
})

it('the message of an error is shown if it was written for users', () => {
  const cause = new Error('connect ECONNREFUSED db.internal:5432')
  expect(messageOf(new PublicError('The file is\nno CSV: line 3.', { cause }))).toBe(
    'The file is\nno CSV: line 3.',
  )
  expect(messageOf(new NoSeatLeft('No seat is left.'))).toBe('No seat is left.')
  expect(messageOf(new DoNotRetry('Twice: a and b.'))).toBe('Twice: a and b.')
})

it('the message of any other error is not shown', () => {
  class OwnError extends Error {
    override name = 'typeorm_tasks.PublicError'
  }
  const named = Object.assign(new Error('of db.internal'), { constructor: { name: 'PublicError' } })
  for (const thrown of [new Error('db.internal'), new OwnError('x'), new Lost('x'), named, 'text'])
    expect(messageOf(thrown)).toBe('The task failed.')
  expect(messageOf(new PublicError(''))).toBe('The task failed.')
  expect(publicView(resultWith({ status: 'FAILED' })).error).toEqual({
    message: 'The task failed.',
  })
})

it('a message without a stack behind it ends with its line', () => {
  const error = new PublicError('Shown.')
  error.stack = 'PublicError: Shown.\nin /srv/app/secret.js, by a stack of another form'
  expect(messageOf(error)).toBe('Shown.')
})

it('a cancelled task says so', () => {
  const errors = [{ exceptionClassPath: 'typeorm_tasks.TaskCancelled', traceback: 'x\n' }]
  expect(publicView(resultWith({ status: 'FAILED', errors })).error?.message).toBe(
    'The task was cancelled.',
  )
})

describe('the answer to a page that polls', () => {
  it('is 304 for the state that the browser has, and 200 once that has changed', () => {
    const { status, headers, body } = publicResponse(resultWith({}), { more: { ahead: 3 } })
    expect({ status, body }).toMatchObject({ status: 200, body: { status: 'READY', ahead: 3 } })
    const known = headers['ETag']
    for (const ifNoneMatch of [known, `"other", W/${known}`])
      expect(publicResponse(resultWith({}), { ifNoneMatch, more: { ahead: 3 } })).toMatchObject({
        status: 304,
        body: null,
        headers: { ETag: known },
      })
    expect(publicResponse(resultWith({}), { ifNoneMatch: known, more: { ahead: 2 } }).status).toBe(
      200,
    )
  })

  it('has Retry-After until the task has finished', () => {
    expect(publicResponse(resultWith({})).headers['Retry-After']).toBe('1')
    expect(publicResponse(resultWith({ status: 'FAILED' })).headers).not.toHaveProperty(
      'Retry-After',
    )
  })
})
