import { configureTasks, InvalidSettingsError, InvalidTaskError, task } from 'typeorm-tasks'
import { ShardedBackend, type ShardedOptions, shardOf } from 'typeorm-tasks/backends/sharded'
import { DummyBackend } from '#dummy'
import { TaskBackend } from '#lib/backend'
import { catchLog } from '../../support/tasks'

const BACKEND = 'typeorm-tasks/backends/sharded#ShardedBackend'
const at = 'TASKS.sharded.OPTIONS'

beforeEach(() => void catchLog())

const entries = {
  db1: { BACKEND: DummyBackend },
  db2: { BACKEND: DummyBackend },
  other: { BACKEND, OPTIONS: { by: () => 1, over: ['db1', 'db2'] } },
}
const configure = (OPTIONS: object, more: object = {}): unknown =>
  configureTasks({ sharded: { BACKEND: ShardedBackend, OPTIONS, ...more }, ...entries })
const by = (): number => 1

describe('where a key goes', () => {
  const over = ['db1', 'db2', 'db3']
  const keys = Array.from({ length: 3_000 }, (_, i) => `customer-${i}`)

  it('never changes: these are where they have always been', () => {
    expect([1, 2, 3, 4, 'acme', 'globex', 'ä😀'].map((key) => shardOf(key, over))).toEqual([
      'db2',
      'db2',
      'db1',
      'db1',
      'db1',
      'db3',
      'db1',
    ])
    expect(shardOf(7, over)).toBe(shardOf('7', over))
  })

  it('is even, and does not depend on the order of the aliases', () => {
    const counts = over.map((alias) => keys.filter((key) => shardOf(key, over) === alias).length)
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(100)
    const turned = over.toReversed()
    expect(keys.every((key) => shardOf(key, over) === shardOf(key, turned))).toBe(true)
  })

  it('moves a key to a new alias only, and a fourth of them for the fourth', () => {
    const moved = keys.filter((key) => shardOf(key, [...over, 'db4']) !== shardOf(key, over))
    expect(moved.every((key) => shardOf(key, [...over, 'db4']) === 'db4')).toBe(true)
    expect(Math.abs(moved.length - 750)).toBeLessThan(100)
  })

  it('is the alias that the key is', () => {
    expect(over.map((alias) => shardOf(alias, over))).toEqual(over)
  })
})

it.each([
  [
    { over: ['db1', 'db2'] },
    `${at}.by: expected a function that gives a text or a number for a call, got undefined.`,
  ],
  [{ by }, `${at}.over: expected a list of aliases of TASKS, got undefined.`],
  [{ by, over: 'db1' }, `${at}.over: expected a list of aliases of TASKS, got 'db1'.`],
  [{ by, over: ['db1', 7] }, `${at}.over[1]: expected an alias of TASKS, got 7.`],
  [
    { by, over: ['db1'] },
    `${at}.over: expected two aliases of TASKS or more, got 1. Name one for each database; for a single one, give tasks its own alias.`,
  ],
  [{ by, over: [] }, `${at}.over: expected two aliases of TASKS or more, got 0.`],
  [
    { by, over: ['db1', 'db2', 'db1'] },
    `${at}.over[2]: "db1" is named twice. Name each alias once.`,
  ],
  [{ by, over: ['db1', 'sharded'] }, `${at}.over[1]: "sharded" is this backend itself.`],
  [
    { by, over: ['db1', 'db3'] },
    `${at}.over[1]: TASKS has no backend "db3"; it has "db1", "db2", "other". Did you mean "db1"?`,
  ],
  [
    { by, over: ['db1', 'other'] },
    `${at}.over[1]: "other" is ShardedBackend, which keeps no tasks of its own. Name the backends that it stands on in its place: db1, db2.`,
  ],
  [{ by, ovre: [] }, `${at}: unknown key "ovre". Did you mean "over"?`],
])('refuses %j when TASKS is configured', (options, message) => {
  expect(() => configure(options)).toThrow(InvalidSettingsError)
  expect(() => configure(options)).toThrow(message)
})

it('refuses a queue that a shard does not have', () => {
  expect(() => configure({ by, over: ['db1', 'db2'] }, { QUEUES: ['default', 'mail'] })).toThrow(
    'TASKS.sharded.QUEUES: "mail" is not in QUEUES of its shard TASKS.db1 (default). Give all of them the same QUEUES.',
  )
})

describe('by', () => {
  const told = task('sharded.told', (_customer: number) => {}, { backend: 'sharded' })
  const enqueue = async (given: unknown): Promise<unknown> => {
    configure({ by: given, over: ['db1', 'db2'] })
    return told.enqueue(7)
  }

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['', 'an empty text'],
    [Number.NaN, 'NaN'],
    [Promise.resolve(1), 'an object (Promise)'],
  ])('that gives %p is told so, and nothing is enqueued', async (key, said) => {
    const enqueued = enqueue(() => key)
    await expect(enqueued).rejects.toThrow(InvalidTaskError)
    await expect(enqueued).rejects.toThrow(
      `Task "sharded.told": \`by\` of ${at} gave ${said}, not a text or a number. Let it give a key for every call`,
    )
  })

  it('that throws is told so', async () => {
    await expect(
      enqueue(() => {
        throw new RangeError('no customer')
      }),
    ).rejects.toThrow(`Task "sharded.told": \`by\` of ${at} has thrown: RangeError: no customer.`)
  })

  it('is asked with what is known of the call', async () => {
    const asked: unknown[] = []
    const keyed: ShardedOptions['by'] = (order) => {
      asked.push(order)
      return 'db2'
    }
    configure({ by: keyed, over: ['db1', 'db2'] })
    const { backend } = await told
      .using({ uniqueKey: 'u' })
      .enqueueWith({ args: [7], kwargs: { a: 1 } })
    expect(backend).toBe('db2')
    expect(asked).toEqual([
      { name: 'sharded.told', args: [7], kwargs: { a: 1 }, queueName: 'default', key: 'u' },
    ])
  })
})

it('asks of a task what the weakest shard can do', () => {
  class Weak extends TaskBackend {
    enqueue = (): Promise<never> => Promise.reject(new Error('no'))
  }
  configureTasks({
    db1: { BACKEND: DummyBackend },
    weak: { BACKEND: Weak },
    default: { BACKEND: ShardedBackend, OPTIONS: { by, over: ['db1', 'weak'] } },
  })
  expect(() => task('sharded.first', () => {}, { priority: 1 })).toThrow(
    'Task "sharded.first" asks for priority, which Weak (TASKS.weak) does not support.',
  )
})
