import { configureTasks, remoteTask, ResultNotFoundError, TaskNotFoundError } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { backends } from '../../lib/backend-registry'
import { add, catchLog, contextual, fail, type Line } from '../support/tasks'

let lines: Line[]
beforeEach(() => {
  lines = catchLog()
})

describe('a result of a task that this process does not know', () => {
  const elsewhere = remoteTask<[number], number>('spec.elswhere')

  it('can be read; only its task cannot, and says so', async () => {
    configureTasks({ default: { BACKEND: DummyBackend } })
    const { id } = await elsewhere.enqueue(1)

    const result = await elsewhere.getResult(id)

    expect(result).toMatchObject({ taskName: 'spec.elswhere', status: 'READY', args: [1] })
    expect(result.toJSON()).toMatchObject({ task: 'spec.elswhere' })
    expect(() => result.task).toThrow(TaskNotFoundError)
    expect(() => result.task).toThrow(
      /^No task is named "spec\.elswhere"; this process knows \d+\. Import the file that defines it/,
    )
  })
})

describe('the Immediate backend', () => {
  beforeEach(() => void configureTasks({ default: { BACKEND: ImmediateBackend } }))

  it('has run the task when enqueue resolves', async () => {
    const result = await add.enqueue(1, 2)

    expect(result).toMatchObject({
      status: 'SUCCESSFUL',
      returnValue: 3,
      attempts: 1,
      isFinished: true,
    })
    expect(result.workerIds).toEqual([expect.stringMatching(/^[A-Za-z0-9]{32}$/)])
    expect((await contextual.enqueue('x')).returnValue).toMatchObject({ attempt: 1 })
  })

  it('records a failure without throwing it, and logs it once', async () => {
    const result = await fail.enqueue('no')

    expect(result).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      errors: [{ exceptionClassPath: 'RangeError' }],
    })
    expect(lines.filter(([level]) => level === 'error')).toEqual([
      ['error', `Task id=${result.id} path=spec.fail state=FAILED error=RangeError: no`],
    ])
  })
})

it('the Dummy backend forgets results and unique keys when it is cleared', async () => {
  configureTasks({ default: { BACKEND: DummyBackend } })
  const keyed = add.using({ uniqueKey: 'k' })
  const first = await keyed.enqueue(1)

  ;(backends.get('default') as DummyBackend).clear()

  await expect(first.refresh()).rejects.toThrow(ResultNotFoundError)
  expect((await keyed.enqueue(2)).args).toEqual([2])
})
