import { context, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { Registry } from 'prom-client'
import { group, runUntilEmpty, startWorker, task } from 'typeorm-tasks'
import { instrument } from 'typeorm-tasks/opentelemetry'
import { register } from 'typeorm-tasks/prometheus'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'

const spans = new InMemorySpanExporter()
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())

const welcome = task('redisTelemetry.welcome', (userId: number) => userId, { queueName: 'mail' })
const shaky = task(
  'redisTelemetry.shaky',
  () => {
    throw new RangeError('shaky')
  },
  { retry: { maxAttempts: 2, delay: 0 } },
)
let during: () => unknown = () => {}
const works = task('redisTelemetry.works', () => during())

describeOnRedis('telemetry', () => {
  const { ground } = redisApp({ queues: ['default', 'mail'] })
  let end = (): void => {}

  beforeEach(() => spans.reset())
  afterEach(async () => {
    end()
    await ground.clear()
  })

  const named = (name: string) => spans.getFinishedSpans().filter((span) => span.name === name)

  it('a span of the run links to that of the enqueue, also of each attempt and of a flow', async () => {
    end = instrument()
    const { id } = await welcome.enqueue(1)
    await shaky.enqueue()
    await group([works.order(), welcome.order(2)])
      .next(() => works.order())
      .enqueue()
    await runUntilEmpty({ queues: '*' })

    const [send] = named('send mail')
    const run = named('process mail').find((span) => span.attributes['messaging.message.id'] === id)
    expect(send?.kind).toBe(SpanKind.PRODUCER)
    expect(run?.attributes).toMatchObject({
      'messaging.message.id': id,
      'typeorm_tasks.outcome': 'successful',
    })
    expect(run?.links.map((link) => link.context.spanId)).toEqual([send?.spanContext().spanId])
    const [flow] = named('send')
    expect(flow?.attributes).toMatchObject({ 'messaging.batch.message_count': 3 })
    const ofFlow = [...named('process default'), ...named('process mail')].filter((span) =>
      span.links.some((link) => link.context.spanId === flow?.spanContext().spanId),
    )
    expect(ofFlow).toHaveLength(3)
    const attempts = named('process default').filter(
      ({ attributes }) => attributes['typeorm_tasks.task'] === 'redisTelemetry.shaky',
    )
    expect(attempts.map(({ attributes }) => attributes['typeorm_tasks.outcome'])).toEqual([
      'retry',
      'failed',
    ])
  })

  it('metrics count what workers do, time what they ask of Redis, and tell the queues', async () => {
    const registry = new Registry()
    end = register(registry, { queues: true })
    await welcome.enqueueMany(Array.from({ length: 40 }, (_, i) => [i] as [number]))
    await shaky.enqueue()
    await runUntilEmpty({ queues: '*', concurrency: 2 })

    let finish = (): void => {}
    during = () => new Promise<void>((resolve) => (finish = resolve))
    const [first] = await works.enqueueMany([[], [], []])
    const worker = await startWorker({ concurrency: 1 })
    // Redis has the job as running before the answer to the claim has reached the worker.
    while (worker.health().running === 0 || (await first?.refresh())?.status !== 'RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 20))
    const text = await registry.metrics()
    during = () => {}
    finish()
    await worker.stop()

    const mail = 'queue="mail",task="redisTelemetry.welcome"'
    const shakes = 'queue="default",task="redisTelemetry.shaky"'
    for (const line of [
      `typeorm_tasks_sent_total{${mail}} 40`,
      `typeorm_tasks_runs_total{${mail},outcome="successful",error=""} 40`,
      `typeorm_tasks_retries_total{${shakes}} 1`,
      `typeorm_tasks_runs_total{${shakes},outcome="failed",error="RangeError"} 1`,
      'typeorm_tasks_slots_used{backend="default"} 1',
      'typeorm_tasks_queue_due{backend="default",queue="default"} 2',
      'typeorm_tasks_queue_running{backend="default",queue="default"} 1',
    ])
      expect(text).toContain(`${line}\n`)
    expect(text).toMatch(
      /typeorm_tasks_bookkeeping_seconds_count\{backend="default",verb="exchange",error=""\} \d/,
    )
  })
})
