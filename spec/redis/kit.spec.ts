import { type AddressInfo, createServer, type Server } from 'node:net'
import { configureTasks, group, pauseQueue, runUntilEmpty, task } from 'typeorm-tasks'
import { perform, type RecordedTasks, testTasks } from 'typeorm-tasks/testing'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '../../lib/backend-registry'

const seen: unknown[] = []
const note = task('redisKit.note', (value: unknown) => void seen.push(value), {
  queueName: 'mail',
  uniqueKey: (value) => `note-${String(value)}`,
})
const double = task('redisKit.double', (value: number) => 2 * value)

/** The test kit stands in for a backend on Redis: a test needs no Redis, and opens no connection. */
describe('tests of an app whose tasks are on Redis', () => {
  let server: Server
  let connections = 0
  let tasks: RecordedTasks

  beforeAll(async () => {
    server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    configureTasks({
      default: {
        BACKEND: BullMQBackend,
        QUEUES: ['default', 'mail'],
        OPTIONS: { connection: `redis://127.0.0.1:${port}` },
      },
    })
  })
  beforeEach(() => {
    seen.length = 0
  })
  afterEach(() => tasks.restore())
  afterAll(() => new Promise((done) => void server.close(done)))

  it('are recorded, expected, run and drained', async () => {
    const kit = (tasks = testTasks())
    await note.using({ priority: 5 }).enqueue('a')
    await group([double.order(1), double.order(2)])
      .next((values) => note.using({ uniqueKey: null }).order(values))
      .enqueue()
    kit.expectEnqueued(note, ['a'])
    await note.enqueue('a')
    await kit.run()
    expect(seen).toEqual(['a', [2, 4]])
  })

  it('run at once, or by themselves', async () => {
    tasks = testTasks({ mode: 'inline' })
    await note.enqueue('b')
    expect(seen).toEqual(['b'])
    expect((await perform(double, [4])).returnValue).toBe(8)
  })

  it('open nothing of Redis', async () => {
    tasks = testTasks()
    await note.enqueue('c')
    await Promise.allSettled([runUntilEmpty({ queues: '*' }), pauseQueue('mail')])
    await backends.get('default').close()
    expect(connections).toBe(0)
  })
})
