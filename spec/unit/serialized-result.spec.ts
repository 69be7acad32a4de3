import { instanceToPlain } from 'class-transformer'
import {
  configureTasks,
  getResult,
  InvalidBackendError,
  ResultNotFoundError,
  runningCommand,
} from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { add, catchLog, fail } from '../support/tasks'

beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: ImmediateBackend }, other: { BACKEND: DummyBackend } })
})

it('a result has the same properties in JSON and for class-transformer, whatever its status', async () => {
  const results = [
    await add.enqueue(1, 2),
    await fail.enqueue('no'),
    await add.using({ backend: 'other' }).enqueue(3),
  ]

  for (const result of results)
    expect(instanceToPlain(result)).toEqual(JSON.parse(JSON.stringify(result), asDate))
  const [sum, failed] = results
  expect(instanceToPlain({ result: sum, list: [failed] })).toMatchObject({
    result: { id: sum!.id, task: 'spec.add', status: 'SUCCESSFUL', args: [1, 2], returnValue: 3 },
    list: [{ status: 'FAILED', returnValue: null, errors: [{ exceptionClassPath: 'RangeError' }] }],
  })
})

it('getResult gives the result of any task of a backend by its id', async () => {
  const { id } = await add.enqueue(1, 2)
  const { id: other } = await add.using({ backend: 'other' }).enqueue(3)

  expect(await getResult(id)).toMatchObject({ taskName: 'spec.add', returnValue: 3 })
  expect(await getResult(other, { backend: 'other' })).toMatchObject({ status: 'READY' })
  await expect(getResult(other)).rejects.toThrow(ResultNotFoundError)
  await expect(getResult(id, { backend: 'nope' })).rejects.toThrow(InvalidBackendError)
})

it('an app outside of the command line is loaded by no command', () => {
  expect(runningCommand()).toBeUndefined()
})

/** `instanceToPlain` keeps instants as they are. */
function asDate(name: string, value: unknown): unknown {
  return typeof value === 'string' && name.endsWith('At') ? new Date(value) : value
}
