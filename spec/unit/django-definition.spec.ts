import { configureTasks, InvalidBackendError, TaskBackend } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { add } from '../support/tasks'

beforeEach(() => void configureTasks({ default: { BACKEND: DummyBackend } }))

it('using() with nothing to change gives an equal copy, which runs the same code', async () => {
  const copy = add.using()

  expect(copy).toEqual(add)
  expect(copy).not.toBe(add)
  expect(await copy.call(1, 2)).toBe(3)
  expect((await copy.enqueue(1)).task).toBe(add)
})

it('enqueue says so when TASKS is empty', async () => {
  configureTasks({})

  await expect(add.enqueue(1)).rejects.toThrow(InvalidBackendError)
  await expect(add.enqueue(1)).rejects.toThrow(
    'TASKS has no backend "default"; it has none. Add it: configureTasks({ default: { BACKEND:',
  )
})

it('a backend without enqueue does not compile', () => {
  // @ts-expect-error -- enqueue is missing
  class Nothing extends TaskBackend {}

  expect(Nothing.prototype).toBeInstanceOf(TaskBackend)
})
