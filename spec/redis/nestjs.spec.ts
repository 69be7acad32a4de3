import 'reflect-metadata'
import { Inject, Injectable, Module } from '@nestjs/common'
import { HealthCheckService, TerminusModule } from '@nestjs/terminus'
import { Test, type TestingModule } from '@nestjs/testing'
import { group, type TaskContext } from 'typeorm-tasks'
import { TaskHandler, Tasks, TasksHealthIndicator, TasksModule } from 'typeorm-tasks/nestjs'
import { BullMQBackend } from '../../backends/bullmq'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { catchLog } from '../support/tasks'

@Injectable()
class Mailer {
  send(to: number): string {
    return `sent to ${to}`
  }
}

@Injectable()
class Mail {
  constructor(@Inject(Mailer) private readonly mailer: Mailer) {}

  @TaskHandler('redisNest.welcome', { backend: 'fast', queueName: 'mail' })
  async welcome(userId: number): Promise<string> {
    return this.mailer.send(userId)
  }

  @TaskHandler('redisNest.count', { backend: 'fast', takesContext: true })
  async count(context: TaskContext, values: readonly string[]): Promise<string> {
    return `${context.attempt} ${values.length}`
  }
}

describeOnRedis('an app of Nest', () => {
  let app: TestingModule

  beforeEach(async () => {
    catchLog()
    @Module({
      imports: [
        TerminusModule,
        TasksModule.forRoot({
          tasks: {
            default: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' },
            fast: {
              BACKEND: BullMQBackend,
              QUEUES: ['default', 'mail'],
              OPTIONS: { connection: redisUrl(), prefix: freshPrefix() },
            },
          },
          worker: { backend: 'fast', queues: '*', interval: 100 },
        }),
      ],
      providers: [Mailer, Mail],
    })
    class AppModule {}
    app = await Test.createTestingModule({ imports: [AppModule] }).compile()
    await app.init()
  })
  afterEach(() => app.close())

  it('runs methods of providers from Redis, with what they inject, without a DataSource', async () => {
    const welcome = await Tasks.of(Mail).welcome.enqueue(42)
    await welcome.wait({ timeout: 20_000 })
    expect([welcome.returnValue, welcome.backend]).toEqual(['sent to 42', 'fast'])
    expect((await Tasks.of(Mail).welcome.getResult(welcome.id)).status).toBe('SUCCESSFUL')
  })

  it('runs flows of them', async () => {
    const { welcome, count } = Tasks.of(Mail)
    const handle = await group([welcome.order(1), welcome.order(2)])
      .next((values) => count.order(values))
      .enqueue()
    await handle.wait({ timeout: 20_000 })
    expect(handle.last.returnValue).toBe('1 2')
  })

  it('tells by its health that the worker is ready', async () => {
    const indicator = app.get(TasksHealthIndicator)
    const check = () => app.get(HealthCheckService).check([() => indicator.isHealthy('tasks')])
    for (let i = 0; i < 200; i++) {
      const isReady = await check().then(
        ({ status }) => status === 'ok',
        () => false,
      )
      if (isReady) break
      await new Promise((done) => setTimeout(done, 50))
    }
    expect((await check()).status).toBe('ok')
  })
})
