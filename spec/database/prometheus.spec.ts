import { Counter, Registry } from 'prom-client'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  DBTaskWorker,
  runUntilEmpty,
  startWorker,
  task,
  taskFacts,
} from 'typeorm-tasks'
import { register } from 'typeorm-tasks/prometheus'
import { Proxy } from '../faults/kit/proxy'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const welcome = task('prom.welcome', () => {}, { queueName: 'mail' })
const shaky = task(
  'prom.shaky',
  () => {
    throw new RangeError('shaky')
  },
  { retry: { maxAttempts: 2, delay: 0 } },
)
let during: () => unknown = () => {}
const works = task('prom.works', () => during())

describeEachDatabase((database) => {
  let dataSource: DataSource
  let registry: Registry
  let end = (): void => {}
  const rows = () => dataSource.getRepository(DBTaskResult)

  beforeAll(async () => {
    dataSource = await database.connect({
      entities: [DBTaskResult, DBTaskWorker],
      synchronize: true,
    })
  })
  beforeEach(async () => {
    catchLog()
    configure(dataSource)
    await rows().clear()
    registry = new Registry()
  })
  afterEach(() => end())

  it('counts and times what two workers do, as one process', async () => {
    end = register(registry)
    await welcome.enqueueMany(Array.from({ length: 40 }, () => []))
    await shaky.enqueue()
    const settings = { queues: '*' as const, concurrency: 2 }
    await Promise.all([runUntilEmpty(settings), runUntilEmpty(settings)])
    const lines = (await registry.metrics()).split('\n')

    const mail = 'queue="mail",task="prom.welcome"'
    const shakes = 'queue="default",task="prom.shaky"'
    expect(lines).toEqual(
      expect.arrayContaining([
        `typeorm_tasks_sent_total{${mail}} 40`,
        `typeorm_tasks_started_total{${mail}} 40`,
        `typeorm_tasks_runs_total{${mail},outcome="successful",error=""} 40`,
        `typeorm_tasks_run_seconds_bucket{le="3600",${mail},error=""} 40`,
        `typeorm_tasks_run_seconds_bucket{le="+Inf",${mail},error=""} 40`,
        `typeorm_tasks_run_seconds_count{${mail},error=""} 40`,
        `typeorm_tasks_wait_seconds_count{${mail}} 40`,
        `typeorm_tasks_runs_total{${shakes},outcome="retry",error="RangeError"} 1`,
        `typeorm_tasks_runs_total{${shakes},outcome="failed",error="RangeError"} 1`,
        `typeorm_tasks_retries_total{${shakes}} 1`,
      ]),
    )
    const buckets = lines.filter((line) => line.startsWith('typeorm_tasks_run_seconds_bucket'))
    expect(buckets[0]).toContain('le="0.005"')
    const exchanges = lines.find((line) =>
      line.startsWith(
        'typeorm_tasks_bookkeeping_seconds_count{backend="default",verb="exchange",error=""}',
      ),
    )
    expect(Number(exchanges?.split(' ').at(-1))).toBeGreaterThan(1)
    expect(lines).toContainEqual(
      expect.stringMatching(/^typeorm_tasks_event_loop_delay_seconds [\d.e-]+$/),
    )
  })

  it('shows the slots of the workers at work, and the queues where it is asked to', async () => {
    let finish = (): void => {}
    during = () => new Promise<void>((resolve) => (finish = resolve))
    end = register(registry, { queues: true })
    const [first] = await works.enqueueMany([[], [], []])
    const workers = [await startWorker({ concurrency: 1 }), await startWorker({ queues: ['mail'] })]
    while ((await first?.refresh())?.status !== 'RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 20))
    const text = await registry.metrics()
    finish()
    during = () => {}
    await Promise.all(workers.map((worker) => worker.stop()))

    expect(text).toContain('typeorm_tasks_slots_used{backend="default"} 1\n')
    expect(text).toContain('typeorm_tasks_slots{backend="default"} 11\n')
    // However many workers there are, the queue is told once.
    expect(text).toContain('typeorm_tasks_queue_due{backend="default",queue="default"} 2\n')
    expect(text).toContain('typeorm_tasks_queue_running{backend="default",queue="default"} 1\n')
    expect(text).toMatch(
      /typeorm_tasks_queue_oldest_due_age_seconds\{backend="default",queue="default"\} \d/,
    )
    expect(await registry.metrics()).not.toContain('typeorm_tasks_slots{')
  })

  it('is collected also when the queues cannot be looked at, and counts that', async () => {
    configure(await database.connect({ entities: [DBTaskResult] }))
    end = register(registry, { queues: true })
    new Counter({ name: 'of_the_app', help: 'x', registers: [registry] }).inc()

    const text = await registry.metrics()
    expect(text).toContain('of_the_app 1')
    expect(text).toContain('typeorm_tasks_event_loop_delay_seconds')
    expect(text).not.toContain('typeorm_tasks_queue_due{')
    expect(await registry.metrics()).toMatch(
      /typeorm_tasks_queue_look_faults_total\{backend="default",error="\w+"\} 1\n/,
    )
  })

  function configure(used: DataSource): void {
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource: used },
      },
      immediate: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend', QUEUES: [] },
    })
  }
})

describeEachDatabase(
  (database) => {
    it('is collected in 3 seconds also when the database stands still, and has its queues again once that answers', async () => {
      catchLog()
      const direct = (await database.fresh()) as DataSourceOptions & { host: string; port: number }
      const proxy = await Proxy.to(direct)
      const options = { ...direct, port: proxy.port, entities: [DBTaskResult], synchronize: true }
      const dataSource = await new DataSource(options as DataSourceOptions).initialize()
      configureTasks({
        default: {
          BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
          QUEUES: [],
          OPTIONS: { dataSource },
        },
      })
      const registry = new Registry()
      const end = register(registry, { queues: true })
      await welcome.using({ queueName: 'default' }).enqueue()
      proxy.delay(600_000)
      const startedAt = performance.now()
      const text = await registry.metrics()
      expect(performance.now() - startedAt).toBeLessThan(3_000)
      expect(text).toContain('typeorm_tasks_sent_total{queue="default",task="prom.welcome"} 1\n')
      expect(text).not.toContain('typeorm_tasks_queue_due{')
      expect(await registry.metrics()).toContain(
        'typeorm_tasks_queue_look_faults_total{backend="default",error="TimeoutError"} 1\n',
      )

      proxy.delay(0)
      proxy.cut()
      const due = 'typeorm_tasks_queue_due{backend="default",queue="default"} 1\n'
      for (let tries = 0; !(await registry.metrics()).includes(due); tries++) {
        if (tries === 100) throw new Error('The queues stay away.')
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      end()
      await dataSource.destroy()
      await proxy.close()
    }, 30_000)
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)

describe('a registry', () => {
  beforeEach(() => {
    catchLog()
    configureTasks({
      default: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend', QUEUES: [] },
    })
  })

  it('gets at most 100 values of a label; what comes after them is counted as _OTHER', async () => {
    const registry = new Registry()
    const end = register(registry)
    for (let n = 0; n < 130; n++) await task(`prom.many${n}`, () => {}).enqueue()
    end()
    const again = register(registry)
    for (let n = 0; n < 130; n++) await task(`prom.many${n}`, () => {}).enqueue()
    const lines = (await registry.metrics()).split('\n')
    again()

    const started = lines.filter((line) => line.startsWith('typeorm_tasks_started_total{'))
    expect(started).toHaveLength(101)
    expect(started.at(-1)).toBe('typeorm_tasks_started_total{queue="default",task="_OTHER"} 30')
  })

  it('takes a second call in the place of the first, and gives up its metrics when it is told', async () => {
    const registry = new Registry()
    register(registry)
    const end = register(registry)
    await welcome.enqueue()
    expect(await registry.metrics()).toContain(
      'typeorm_tasks_started_total{queue="mail",task="prom.welcome"} 1\n',
    )
    end()
    await welcome.enqueue()
    expect(await registry.metrics()).toBe('\n')
  })

  it('keeps measuring queues where a second call does not say whether it should', () => {
    const registry = new Registry()
    const names = (): string[] => registry.getMetricsAsArray().map(({ name }) => name)
    const first = register(registry, { queues: true })
    const second = register(registry)
    first()
    expect(names()).toContain('typeorm_tasks_queue_due')
    const third = register(registry, { queues: false })
    expect(names()).not.toContain('typeorm_tasks_queue_due')
    expect(names()).toContain('typeorm_tasks_runs_total')
    third()
    second()
    expect(names()).toEqual([])
    const last = register(registry)
    expect(names()).not.toContain('typeorm_tasks_queue_due')
    last()
  })

  it('is left as it was if a metric of the app has one of the names', async () => {
    const registry = new Registry()
    new Counter({ name: 'typeorm_tasks_lost_total', help: 'x', registers: [registry] })
    expect(() => register(registry)).toThrow(
      "register: the registry has a metric named 'typeorm_tasks_lost_total' already. Rename that one, or register in a registry of its own: register(new Registry()).",
    )
    expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual([
      'typeorm_tasks_lost_total',
    ])
    expect(taskFacts.isHeard).toBe(false)

    registry.clear()
    register(registry)()
  })

  it('must be one, and its options known', () => {
    const wrong = (): unknown => register({} as never)
    expect(wrong).toThrow('register: expected a registry of prom-client, got an object (Object).')
    expect(wrong).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('register(client.register)') }),
    )
    expect(() => register(new Registry(), { queue: true } as never)).toThrow(
      "register: unknown option 'queue'.",
    )
  })
})
