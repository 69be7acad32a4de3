import { configureTasks, InvalidBackendError, NotSupportedError, type Order, startWorker, TaskBackend, type TaskResult, task } from 'typeorm-tasks'
import { DummyBackend } from '../../backends/dummy'
import { backends } from '../../lib/registry'
import { add } from '../support/tasks'

beforeEach(() => void configureTasks({ default: { BACKEND: DummyBackend } }))

it('using() with nothing to change gives an equal copy, which runs the same code', async () => {
  const copy = add.using()

  expect(copy).toEqual(add)
  expect(copy).not.toBe(add)
  expect(await copy.call(1, 2)).toBe(3)
  expect((await copy.enqueue(1)).task).toBe(add)
})

describe('without a backend', () => {
  afterEach(() => backends.configure(undefined))

  it('a task runs at once, as long as nothing is configured', async () => {
    backends.configure(undefined)

    expect((await add.enqueue(1)).returnValue).toBe(11)
  })

  it('enqueue says so when TASKS is empty', async () => {
    configureTasks({})

    await expect(add.enqueue(1)).rejects.toThrow(InvalidBackendError)
    await expect(add.enqueue(1)).rejects.toThrow('TASKS has no backend "default"; it has none. Add it to configureTasks({ … }).')
  })
})

describe('a backend of the app', () => {
  /** The least there can be: it hands on. */
  class Post extends TaskBackend {
    readonly sent: Order[] = []

    async enqueue(order: Order): Promise<TaskResult<unknown>> {
      this.sent.push(order)
      return await new DummyBackend(this.alias, this.settings).enqueue(order)
    }
  }
  const OPTIONS = { host: 'mx', port: 25 }
  let post: Post

  beforeEach(() => {
    configureTasks({ default: { BACKEND: Post, OPTIONS } })
    post = backends.get('default') as Post
  })

  it('gets its OPTIONS, its alias, and the queue "default" alone unless QUEUES says more', () => {
    expect(post).toMatchObject({ alias: 'default', settings: { options: OPTIONS, queues: ['default'] } })
    expect(() => add.using({ queueName: 'mail' })).toThrow('queue "mail" is not in QUEUES of TASKS.default (default)')
  })

  it('needs nothing but enqueue', async () => {
    expect((await add.enqueue(1)).status).toBe('READY')
    expect(await add.enqueueMany([[2], [3]])).toHaveLength(2)
    expect(post.sent.map(({ args }) => args)).toEqual([[1], [2], [3]])
    expect(await post.check()).toEqual([])
  })

  it('refuses what it does not say that it can, each in its own words', async () => {
    expect(() => add.using({ priority: 1 })).toThrow('Task "spec.add" asks for priority, which Post (TASKS.default) does not support. Leave the priority at 0, or use the Database backend.')
    expect(() => add.using({ runAfter: new Date() })).toThrow('Task "spec.add" asks for runAfter, which Post (TASKS.default) does not support. Leave runAfter out, or use the Database backend.')
    await expect(add.getResult('7')).rejects.toThrow(new NotSupportedError('Post (TASKS.default) cannot give back the result 7.', 'Use the Database backend for that.').message)
    await expect(startWorker()).rejects.toThrow('Post (TASKS.default) cannot be served by a worker.')
  })

  it('refuses a task that was defined before, too, and leaves TASKS as it was', () => {
    configureTasks({ default: { BACKEND: DummyBackend } })
    const before = backends.get('default')
    task('spec.urgent', () => {}, { priority: 9 })

    expect(() => configureTasks({ default: { BACKEND: Post } })).toThrow('Task "spec.urgent" asks for priority')
    expect(backends.get('default')).toBe(before)
    task('spec.urgent', () => {})
  })

  it('does not compile without enqueue', () => {
    // @ts-expect-error -- enqueue is missing
    class Nothing extends TaskBackend {}

    expect(Nothing.prototype).toBeInstanceOf(TaskBackend)
  })
})
