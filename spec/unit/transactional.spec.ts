import { DataSource } from 'typeorm'
import { backends } from '#backend-registry'
import { DummyBackend } from '#dummy'
import { tasks } from '#registry'
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

describe('a backend that cannot enqueue in a transaction refuses a manager', () => {
  const dataSource = new DataSource({ type: 'better-sqlite3', database: ':memory:' })
  const { manager } = dataSource
  const plain = task('tx.plain', () => {})
  const refused =
    /"tx\.plain" was given a manager, and \w+Backend \(TASKS\.\w+\) cannot enqueue in its/
  // Those of other specs may ask for more than these backends can.
  beforeEach(() => tasks.clear())

  it.each([['immediate#ImmediateBackend'], ['dummy#DummyBackend']])('%s', async (name) => {
    configureTasks({ default: backend(name), database: backend('database#DatabaseBackend') })

    expect(() => plain.using({ manager })).toThrow(refused)
    const elsewhere = plain.using({ backend: 'database', manager })
    expect(() => elsewhere.using({ backend: 'default' })).toThrow(NotSupportedError)
    configureTasks({ database: backend(name), default: backend(name) })
    await expect(elsewhere.enqueue()).rejects.toThrow(refused)
    await expect(elsewhere.enqueueMany([[]])).rejects.toThrow(refused)
  })

  it('one of your own', () => {
    class Own extends DummyBackend {}
    configureTasks({ default: { BACKEND: Own } })

    expect(() => plain.using({ manager })).toThrow('Own (TASKS.default) cannot enqueue in its')
  })

  it('the one that holds while nothing is configured', async () => {
    backends.configure(undefined)

    await expect(plain.using({ manager }).enqueue()).rejects.toThrow(refused)
  })
})
