import { setTimeout as sleep } from 'node:timers/promises'
import { IsInt } from 'class-validator'
import {
  configureTasks,
  InvalidTaskError,
  NotSerializableError,
  setMiddleware,
  task,
  TaskCancelled,
} from 'typeorm-tasks'
import { perform, TaskRunError, testTasks } from 'typeorm-tasks/testing'
import { backends } from '#backend-registry'
import { DummyBackend } from '#dummy'
import { add, contextual, echo, fail, patient, unfit } from '../../support/tasks'

class Size {
  @IsInt() width = 0
  double(): number {
    return this.width * 2
  }
}

const doubled = task('perform.doubled', (size: Size) => size.double(), { args: [Size] })
const flaky = task('perform.flaky', boom, {
  retry: { maxAttempts: 3, delay: 10_000, jitter: 0 },
})
const slow = task('perform.slow', () => sleep(60_000, undefined, { ref: false }), { timeLimit: 20 })
const enqueues = task('perform.enqueues', async () => void (await add.enqueue(5)))

function boom(): never {
  throw new TypeError('boom')
}

afterEach(() => backends.configure(undefined))

it('runs a task once with a real context, and gives its result', async () => {
  const result = await perform(contextual, ['half'], { attempt: 3 })
  expect(result.returnValue).toEqual({ id: result.id, attempt: 3, aborted: false })
  expect([result.status, result.attempts]).toEqual(['SUCCESSFUL', 3])
  expect(result.progress).toEqual({ done: 1, total: 2, note: 'half' })
  expect((await perform(add, [1])).returnValue).toBe(11)
})

it('passes arguments and return values through JSON, and checks classes', async () => {
  expect((await perform(echo, [{ a: undefined, b: [1] }])).returnValue).toEqual({ b: [1] })
  await expect(perform(echo, [new Date()])).rejects.toBeInstanceOf(NotSerializableError)
  await expect(perform(unfit, [])).rejects.toThrow(
    'return value.when: Date; pass when.toISOString()',
  )
  expect((await perform(doubled, [{ width: 4 }])).returnValue).toBe(8)
  await expect(perform(doubled, [{ width: 'x' } as never])).rejects.toBeInstanceOf(InvalidTaskError)
})

it('throws what the task threw as the cause, or leaves it to the test', async () => {
  const error = await perform(fail, ['reason']).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(TaskRunError)
  expect(error).toMatchObject({ cause: new RangeError('reason') })
  const { status, errors } = await perform(fail, ['reason'], { throwFailures: false })
  expect([status, errors[0]?.exceptionClassPath]).toEqual(['FAILED', 'RangeError'])
})

it('decides about a retry, as a worker would', async () => {
  const before = Date.now()
  const second = await perform(flaky, [], { attempt: 2, throwFailures: false })
  expect(second.status).toBe('READY')
  expect((second.runAfter?.getTime() ?? 0) - before).toBeGreaterThanOrEqual(20_000)
  expect(second.errorCount).toBe(2)
  const third = await perform(flaky, [], { attempt: 3, throwFailures: false })
  expect(third.status).toBe('FAILED')
})

it('ends a run at its time limit', async () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {})
  await expect(perform(slow, [])).rejects.toThrow('TimeLimitExceeded')
  warn.mockRestore()
})

it('cancels the run by a signal', async () => {
  const controller = new AbortController()
  const running = perform(patient, [], { signal: controller.signal, throwFailures: false })
  controller.abort()
  const { status, errors } = await running
  expect([status, errors[0]?.exceptionClassPath]).toEqual(['FAILED', 'typeorm_tasks.TaskCancelled'])
  expect(TaskCancelled.name).toBe('TaskCancelled')
})

it('goes through the middleware of the app', async () => {
  const earlier = setMiddleware([{ run: async (_, next) => [await next()] }])
  expect((await perform(add, [1])).returnValue).toEqual([11])
  expect(setMiddleware(earlier)).toHaveLength(1)
})

it('leaves what the task enqueues to the kit, if there is one', async () => {
  configureTasks({ default: { BACKEND: DummyBackend } })
  const tasks = testTasks()
  await perform(enqueues, [])
  expect(tasks.enqueued().map(({ taskName }) => taskName)).toEqual(['spec.add'])
  tasks.expectEnqueued(add, [5])
  await tasks.restore()
})

it.each([
  [[undefined, []], 'perform expected a task and its arguments, got undefined'],
  [[add, 1], 'and 1'],
  [[add, [1], { attempt: 0 }], 'perform, attempt: expected a whole number, 1 or more'],
  [[add, [1], { signal: 'x' }], 'perform, signal: expected an AbortSignal'],
  [[add, [1], { retries: 1 }], 'unknown option "retries"'],
])('refuses %j', async (given, message) => {
  await expect((perform as (...all: unknown[]) => unknown)(...given)).rejects.toThrow(message)
})
