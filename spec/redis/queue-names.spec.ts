import { configureTasks, InvalidSettingsError, InvalidTaskError, task } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { runUntilEmpty } from '#start-worker'
import { describeOnRedis, redisUrl } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'
import { add, catchLog } from '../support/tasks'

const SOUND = ['default', 'a:b', 'a', 'a:wait', 'mail@x/y', 'почта', '日本', 'x'.repeat(32)]
const REFUSED = ['{a}', 'a+', 'a b', '', 'x'.repeat(200), '🚀']

describeOnRedis('names of queues on Redis', () => {
  const { backend } = backendOnRedis(SOUND)

  beforeEach(() => void catchLog())

  it('those that may have colons, or letters of any language, work with and without priority', async () => {
    const results = []
    for (const queueName of SOUND)
      for (const priority of [0, 5, -5])
        results.push(await add.using({ queueName, priority }).enqueue(1))
    for (const queue of SOUND)
      expect(await backend().counts({ queues: [queue] })).toMatchObject({ READY: 3 })
    await runUntilEmpty({ queues: '*' })

    for (const result of results) {
      expect((await result.refresh()).status).toBe('SUCCESSFUL')
      const { queueName, id } = result
      const listed = await backend().list({ limit: 9, queues: [queueName] })
      expect(listed.map((each) => each.id)).toContain(id)
      expect(listed).toHaveLength(3)
    }
  })

  it.each(REFUSED)('%j is refused where TASKS and tasks are defined', (name) => {
    const OPTIONS = { connection: redisUrl() }
    const configured = () =>
      configureTasks({ default: { BACKEND: BullMQBackend, QUEUES: [name], OPTIONS } })
    expect(configured).toThrow(InvalidSettingsError)
    expect(configured).toThrow(/QUEUES\[0\]: expected a queue name of 1 to 32 letters/)
    expect(() => task('names.refused', () => {}, { queueName: name })).toThrow(InvalidTaskError)
  })

  it('an alias with a colon needs a prefix', () => {
    const make = (options: { prefix?: string }) =>
      new BullMQBackend('a:b', { queues: ['mail'], options })
    expect(() => make({})).toThrow('Give it an OPTIONS.prefix')
    expect(make({ prefix: 'shop' })).toBeInstanceOf(BullMQBackend)
  })
})
