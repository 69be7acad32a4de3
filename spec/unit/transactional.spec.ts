import { configureTasks, InvalidTaskError, NotSupportedError, task } from 'typeorm-tasks'

const backend = (name: string) => ({ BACKEND: `typeorm-tasks/backends/${name}`, QUEUES: [] })

it.each([['immediate#ImmediateBackend'], ['dummy#DummyBackend']])(
  '%s, which has no database, refuses a transactional task, wherever it is named',
  (name) => {
    configureTasks({ default: backend('database#DatabaseBackend'), other: backend(name) })
    const early = task('tx.early', () => {}, { transactional: true })

    expect(() => task('tx.late', () => {}, { transactional: true, backend: 'other' })).toThrow(
      NotSupportedError,
    )
    expect(() => early.using({ backend: 'other' })).toThrow(
      /Task "tx\.early" is transactional, and \w+Backend \(TASKS\.other\) has no database/,
    )
    expect(() => configureTasks({ default: backend(name) })).toThrow(NotSupportedError)
  },
)

it("transactional is true or false, and is the task's own, not an enqueue's", () => {
  expect(() => task('tx.odd', () => {}, { transactional: 'yes' as never })).toThrow(
    InvalidTaskError,
  )
  const usual = task('tx.usual', () => {})
  expect(usual.transactional).toBe(false)
  expect(() => usual.using({ transactional: true } as object)).toThrow(
    'unknown option "transactional"',
  )
})
