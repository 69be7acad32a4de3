import 'reflect-metadata'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type OnModuleDestroy,
  Param,
  Post,
  Scope,
} from '@nestjs/common'
import { REQUEST } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { HealthCheckService, TerminusModule } from '@nestjs/terminus'
import { Test } from '@nestjs/testing'
import { TypeOrmModule } from '@nestjs/typeorm'
import { IsInt } from 'class-validator'
import { DataSource } from 'typeorm'
import {
  DBTaskResult,
  type Middleware,
  type RunContext,
  runUntilEmpty,
  schedule,
  type Task,
  type TaskContext,
  type WorkerOptions,
} from 'typeorm-tasks'
import {
  InjectTask,
  TASK_RUN,
  TaskHandler,
  TaskRun,
  Tasks,
  TasksHealthIndicator,
  TasksModule,
} from 'typeorm-tasks/nestjs'
import { schedules } from '../../lib/schedules/registry'
import { describeEachDatabase, type FreshOptions } from '../support/databases'

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
const said: string[] = []
beforeEach(() => void said.splice(0))

@Injectable()
class Mailer {
  send(to: number): string {
    return `sent to ${to}`
  }
}

@Injectable()
class Mail {
  constructor(@Inject(Mailer) private readonly mailer: Mailer) {}

  @TaskHandler('nest.welcome', { queueName: 'mail' })
  async welcome(userId: number): Promise<string> {
    said.push('welcome')
    return this.mailer.send(userId)
  }

  @TaskHandler('nest.digest', { takesContext: true, schedule: { cron: '0 7 * * *' } })
  async digest(context: TaskContext): Promise<string> {
    return `${context.attempt} ${context.taskResult.taskName}`
  }

  @TaskHandler('nest.sleep')
  async sleep(ms: number): Promise<void> {
    said.push('begins')
    await sleep(ms)
    said.push('ends')
  }

  notATask(): void {}
}

let made = 0

@Injectable({ scope: Scope.REQUEST })
class Counter {
  readonly number = ++made
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  constructor(
    @Inject(Counter) private readonly counter: Counter,
    @Inject(TASK_RUN) private readonly run: TaskRun | null,
    @Inject(REQUEST) private readonly request: unknown,
  ) {}

  @TaskHandler('nest.scoped')
  async scoped(): Promise<unknown> {
    return [
      this.counter.number,
      this.run?.taskResult.taskName,
      this.run?.attempt,
      this.request instanceof TaskRun,
    ]
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequests {
  constructor(@Inject(REQUEST) private readonly request: { headers: Record<string, string> }) {}

  @TaskHandler('nest.ofRequests')
  async who(): Promise<string | undefined> {
    return this.request.headers['authorization']
  }
}

@Injectable()
class LogTasks implements Middleware {
  constructor(@Inject(Mailer) private readonly mailer: Mailer) {}

  async run({ taskResult }: RunContext, next: () => Promise<unknown>): Promise<unknown> {
    said.push(`outer ${taskResult.taskName} ${this.mailer.send(1)}`)
    return next()
  }
}

@Injectable()
class MarkTasks implements Middleware {
  async run(_: RunContext, next: () => Promise<unknown>): Promise<unknown> {
    said.push('inner')
    return [await next(), 'marked']
  }
}

class Age {
  @IsInt()
  years!: number
}

@Injectable()
class Ages {
  @TaskHandler('nest.age', { args: [Age] })
  async age(age: Age): Promise<boolean> {
    return age instanceof Age
  }
}

@Controller('mail')
class MailController {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @InjectTask(Mail, 'welcome') private readonly welcomeTask: Task<[number], string>,
  ) {}

  @Post(':id')
  async welcome(@Param('id') id: string): Promise<{ id: string }> {
    return this.dataSource.transaction(async (manager) => {
      const result = await this.welcomeTask.using({ manager }).enqueue(Number(id))
      if (id === '13') throw new Error('rolled back')
      return { id: result.id }
    })
  }

  @Get(':id')
  async status(@Param('id') id: string): Promise<{ status: string }> {
    const { status } = await Tasks.of(Mail).welcome.getResult(id)
    return { status }
  }

  @Post('age/:years')
  async age(@Param('years') years: string): Promise<void> {
    await Tasks.of(Ages).age.enqueue({ years: years as never })
  }
}

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close()
})

interface Wish {
  readonly worker?: WorkerOptions
  readonly middleware?: readonly (typeof LogTasks | typeof MarkTasks)[]
  readonly imports?: ModuleMetadata['imports']
  readonly providers?: readonly (new (...given: never[]) => unknown)[]
}

/** A module of an app, in whose database the table is. */
function appModule(
  options: FreshOptions,
  { worker, middleware, imports = [], providers = [] }: Wish = {},
) {
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...options, entities: [DBTaskResult], synchronize: true }),
      TasksModule.forRootAsync({
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => ({
          tasks: {
            default: { BACKEND, QUEUES: ['default', 'mail'], OPTIONS: { dataSource } },
          },
          worker: worker ?? false,
          middleware,
        }),
      }),
      ...imports,
    ],
    providers: [Mailer, Mail, Counter, Scoped, OfRequests, Ages, LogTasks, MarkTasks, ...providers],
    controllers: [MailController],
  })
  class AppModule {}
  return AppModule
}

async function context(options: FreshOptions, wish: Wish = {}) {
  const app = await Test.createTestingModule({ imports: [appModule(options, wish)] }).compile()
  opened.push(app)
  return app.init()
}

describeEachDatabase(({ fresh }) => {
  it('runs the methods of providers, with what they inject, and gives their handles typed', async () => {
    const app = await context(await fresh())

    const welcome = await app.get(Tasks).of(Mail).welcome.enqueue(42)
    const digest = await Tasks.of(Mail).digest.enqueue()
    await runUntilEmpty({ queues: '*' })

    await Promise.all([welcome.refresh(), digest.refresh()])
    expect(welcome.returnValue satisfies string).toBe('sent to 42')
    expect(digest.returnValue).toBe('1 nest.digest')
    expect(welcome.queueName).toBe('mail')
  })

  it('makes what is request-scoped anew for each run, with the run in it', async () => {
    await context(await fresh())

    const results = [
      await Tasks.of(Scoped).scoped.enqueue(),
      await Tasks.of(Scoped).scoped.enqueue(),
    ]
    await runUntilEmpty()

    await Promise.all(results.map((each) => each.refresh()))
    const [first, second] = results.map(({ returnValue }) => returnValue as unknown[])
    expect(first!.slice(1)).toEqual(['nest.scoped', 1, true])
    expect(second![0]).not.toBe(first![0])
  })

  it('says of a provider that reads the headers of a request what to do instead', async () => {
    await context(await fresh())
    const result = await Tasks.of(OfRequests).who.enqueue()
    await runUntilEmpty()

    await result.refresh()
    expect(result.status).toBe('FAILED')
    expect(result.errors[0]!.traceback).toContain(
      'Task "nest.ofRequests": OfRequests.who, or what it injects, reads the headers of REQUEST, and a task has no request. Pass what it needs as an argument of the task, or look first: `request instanceof TaskRun`.',
    )
  })

  it('has providers around runs, the outermost first, until the app is closed', async () => {
    const app = await context(await fresh(), { middleware: [LogTasks, MarkTasks] })
    const result = await Tasks.of(Mail).welcome.enqueue(42)
    await runUntilEmpty({ queues: '*' })

    await result.refresh()
    expect(result.returnValue).toEqual(['sent to 42', 'marked'])
    expect(said).toEqual(['outer nest.welcome sent to 1', 'inner', 'welcome'])

    await app.close()
    opened.splice(0)
    await context(await fresh())
    said.splice(0)
    await Tasks.of(Mail).welcome.enqueue(42)
    await runUntilEmpty({ queues: '*' })
    expect(said).toEqual(['welcome'])
  })

  it.each([['Express'], ['Fastify']])(
    'answers by %s: enqueues in the transaction of a controller, 404 for an unknown id, 400 for refused arguments, 500 for other errors',
    async (platform) => {
      const options = await fresh()
      const testing = await Test.createTestingModule({ imports: [appModule(options)] }).compile()
      const app =
        platform === 'Express'
          ? testing.createNestApplication({ logger: false })
          : testing.createNestApplication(new FastifyAdapter(), { logger: false })
      opened.push(app)
      await app.listen(0, '127.0.0.1')
      const url = await app.getUrl()
      const ask = async (
        path: string,
        method = 'GET',
      ): Promise<[number, Record<string, string>]> => {
        const answer = await fetch(`${url}/mail/${path}`, { method })
        return [answer.status, (await answer.json().catch(() => ({}))) as Record<string, string>]
      }

      const [status, { id }] = await ask('42', 'POST')
      expect(status).toBe(201)
      expect(await ask(id!)).toEqual([200, { status: 'READY' }])
      expect((await ask('13', 'POST'))[0]).toBe(500)
      expect(await app.get(DataSource).getRepository(DBTaskResult).count()).toBe(1)

      const unknown = '019b0000-0000-7000-8000-000000000000'
      expect(await ask(unknown)).toEqual([
        404,
        expect.objectContaining({ message: `No task result has the id "${unknown}".` }),
      ])
      expect(await ask('age/seven', 'POST')).toEqual([
        400,
        expect.objectContaining({
          message: 'Task "nest.age", args[0].years: years must be an integer number, got a string.',
        }),
      ])
    },
  )

  it('has a worker that starts with the app, and ends before any module is destroyed', async () => {
    class Late implements OnModuleDestroy {
      onModuleDestroy(): void {
        said.push('destroyed')
      }
    }
    const app = await context(await fresh(), {
      worker: { queues: '*', interval: 20 },
      providers: [Late],
    })
    await Tasks.of(Mail).sleep.enqueue(300)
    while (said.length === 0) await sleep(10)
    expect(app.get(TasksHealthIndicator).isHealthy('worker')).toEqual({
      worker: { status: 'up', worker: 'running', workerId: expect.any(String) },
    })

    await app.close()

    expect(said).toEqual(['begins', 'ends', 'destroyed'])
    expect(app.get(TasksHealthIndicator).isHealthy().tasks.status).toBe('up')
    expect(app.get(TasksHealthIndicator).isReady().tasks).toMatchObject({
      status: 'down',
      worker: 'ended',
    })
  })

  it('warns of isolated handlers that its worker has no processes for', async () => {
    class Heavy {
      @TaskHandler('nest.heavy', { isolate: true })
      async compute(): Promise<void> {}
    }
    const lines: string[] = []
    const quiet = { log: () => {}, error: () => {}, debug: () => {} }
    const wish = { worker: {}, providers: [Heavy] }
    const testing = Test.createTestingModule({ imports: [appModule(await fresh(), wish)] })
    testing.setLogger({ ...quiet, warn: (line: string) => void lines.push(line) })
    const app = await testing.compile()
    opened.push(app)
    await app.init()
    expect(lines).toEqual([
      "The app has a worker without child processes, and isolated tasks, which fail in it: Heavy.compute. Export `prepare = childApp(() => AppModule)` from the file of the module, and add `isolation: { module: __filename }` to the worker's options.",
    ])
  })

  it('tells terminus when its worker has ended or failed', async () => {
    const app = await context(await fresh(), {
      worker: { queues: '*', interval: 20, maxTasks: 1 },
      imports: [TerminusModule.forRoot({ logger: false })],
    })
    const health = app.get(HealthCheckService)
    const tasks = app.get(TasksHealthIndicator)
    const check = () => health.check([() => tasks.isReady()])
    while (tasks.isReady().tasks.status === 'down') await sleep(10)
    expect(await check()).toMatchObject({ status: 'ok', info: { tasks: { worker: 'running' } } })

    await Tasks.of(Mail).welcome.enqueue(42)
    while (tasks.isReady().tasks.status === 'up') await sleep(10)
    await expect(check()).rejects.toMatchObject({
      status: 503,
      response: {
        status: 'error',
        error: { tasks: { status: 'down', problems: [expect.any(String)] } },
      },
    })
    expect(tasks.isHealthy().tasks.status).toBe('up')

    await app.close()
    opened.splice(0)
    const other = await context(await fresh(), { worker: { interval: 20 } })
    const { isHealthy } = other.get(TasksHealthIndicator)
    const live = isHealthy.bind(other.get(TasksHealthIndicator))
    expect(live().tasks.status).toBe('up')
    await other.get(DataSource).query('DROP TABLE db_task_result')
    while (live().tasks.status === 'up') await sleep(20)
    expect(live().tasks).toMatchObject({ worker: 'failed', problems: expect.anything() })
  })

  it('defines the schedules of handlers', async () => {
    await context(await fresh())
    const [digest] = schedules.all()
    expect(digest).toMatchObject({ name: 'nest.digest', when: '0 7 * * *' })
    const result = await digest!.fire()
    await runUntilEmpty()
    await result.refresh()
    expect(result.returnValue).toBe('1 nest.digest')
    expect(schedule).toBeInstanceOf(Function)
  })

  it('runs what a test puts in the place of a provider', async () => {
    const mock = { welcome: async (userId: number) => `mocked ${userId}` }
    const testing = Test.createTestingModule({ imports: [appModule(await fresh())] })
    const app = await testing.overrideProvider(Mail).useValue(mock).compile()
    opened.push(app)
    await app.init()
    const result = await Tasks.of(Mail).welcome.enqueue(7)
    await runUntilEmpty({ queues: '*' })
    await result.refresh()
    expect(result.returnValue).toBe('mocked 7')
  })

  it('finds the data source of TypeOrmModule by itself, and says so where the entity is missing', async () => {
    const options = await fresh()
    const tasks = { default: { BACKEND } } as const
    const appWith = (entities: (typeof DBTaskResult)[]) =>
      Test.createTestingModule({
        imports: [
          TypeOrmModule.forRoot({ ...options, entities, synchronize: true, name: 'default' }),
          TasksModule.forRoot({ tasks }),
        ],
        providers: [Ages],
      }).compile()
    const app = await appWith([DBTaskResult])
    opened.push(app)
    await app.init()
    const result = await Tasks.of(Ages).age.enqueue({ years: 7 })
    await runUntilEmpty()
    await result.refresh()
    expect(result.returnValue).toBe(true)

    await app.close()
    const without = await appWith([])
    opened.splice(0, 1, { close: () => without.get(DataSource).destroy() })
    await expect(without.init()).rejects.toThrow(
      'The DataSource of TASKS.default does not know the entity DBTaskResult. Add it where TypeOrmModule.forRoot lists entities: `entities: [DBTaskResult, …]`; with `autoLoadEntities: true` import TypeOrmModule.forFeature([DBTaskResult]) beside TasksModule.',
    )
  })
})
