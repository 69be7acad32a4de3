import 'reflect-metadata'
import { Controller, Inject, Injectable, Module, Scope } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import type { Middleware, Task, TaskContext } from 'typeorm-tasks'
import {
  DashboardModule,
  InjectTask,
  TaskHandler,
  Tasks,
  TasksModule,
  type TasksModuleOptions,
} from 'typeorm-tasks/nestjs'
import { InvalidTaskError } from '#errors'
import { schedules } from '../../lib/schedules/registry'

const IMMEDIATE = 'typeorm-tasks/backends/immediate#ImmediateBackend'
const tasks = { default: { BACKEND: IMMEDIATE } } as const

class Mail {
  @TaskHandler('bad.welcome')
  async welcome(userId: number): Promise<number> {
    return userId
  }

  plain(): void {}
}

class Letters {
  @TaskHandler('bad.welcome')
  async greet(): Promise<void> {}
}

type Providers = NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close()
})

async function start(
  providers: Providers,
  options: Partial<TasksModuleOptions> = {},
  more: Parameters<typeof Test.createTestingModule>[0] = {},
) {
  const app = await Test.createTestingModule({
    ...more,
    imports: [TasksModule.forRoot({ tasks, ...options }), ...(more.imports ?? [])],
    providers,
  }).compile()
  await app.init()
  opened.push(app)
  return app
}

describe('a decorator', () => {
  it('refuses a static method', () => {
    expect(() => {
      class Statics {
        static run(): void {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Statics, 'run')!
      TaskHandler('bad.static')(Statics as never, 'run' as never, descriptor)
    }).toThrow(
      new InvalidTaskError(
        "@TaskHandler('bad.static') marks Statics.run, which is static: a provider is an instance.",
        'Remove `static`, or define the task with @task or task() of "typeorm-tasks".',
      ),
    )
  })

  it('refuses what is no method, and decorators of the newer kind', () => {
    const decorate = TaskHandler('bad.field') as (...given: unknown[]) => void
    expect(() => decorate(Mail.prototype, 'field', undefined)).toThrow(
      "@TaskHandler('bad.field') marks Mail.field, which is no method with a name. Put it on a public method of a provider.",
    )
    expect(() => decorate(() => {}, { kind: 'method', private: true })).toThrow(
      'is used as a decorator of the newer kind, which Nest does not have. Compile with "experimentalDecorators": true',
    )
  })

  it('checks name and options where it stands', () => {
    expect(() => TaskHandler('no name')(Mail.prototype, 'plain', descriptorOf('plain'))).toThrow(
      "A task's name must be a dotted identifier of at most 255 characters, got 'no name'.",
    )
    const options = { retyr: {} } as object
    expect(() =>
      TaskHandler('bad.a', options)(Mail.prototype, 'plain', descriptorOf('plain')),
    ).toThrow('Task "bad.a": unknown option "retyr". Did you mean "retry"?')
  })
})

function descriptorOf(name: 'plain'): TypedPropertyDescriptor<() => void> {
  return Object.getOwnPropertyDescriptor(Mail.prototype, name)!
}

describe('an app', () => {
  it('names both classes where two handlers have one name', async () => {
    await expect(start([Mail, Letters])).rejects.toThrow(
      'Two handlers are of task "bad.welcome": Mail.welcome and Letters.greet. Rename one of the tasks.',
    )
    class Base {
      @TaskHandler('bad.inherited')
      async run(): Promise<void> {}
    }
    class One extends Base {}
    class Other extends Base {}
    await expect(start([One, Other])).rejects.toThrow(
      'Two handlers are of task "bad.inherited": One.run and Other.run, which are both the method of Base.',
    )
  })

  it('judges its handlers by its own TASKS', async () => {
    class Fast {
      @TaskHandler('bad.fast', { queueName: 'fast' })
      async run(): Promise<void> {}
    }
    await expect(start([Fast])).rejects.toThrow(
      'Task "bad.fast": queue "fast" is not in QUEUES of TASKS.default (default).',
    )
    await start([Fast], { tasks: { default: { BACKEND: IMMEDIATE, QUEUES: ['fast'] } } })
  })

  it('refuses a handler of a controller', async () => {
    class Pages {
      @TaskHandler('bad.page')
      async render(): Promise<void> {}
    }
    Controller('pages')(Pages)
    await expect(start([], {}, { controllers: [Pages] })).rejects.toThrow(
      'Task "bad.page": Pages.render is of a controller, and a task has no request. Move the method into a provider, and enqueue it from the controller.',
    )
  })

  it('names the modules where the module is imported twice', async () => {
    class Feature {}
    Module({ imports: [TasksModule.forRoot({ tasks })] })(Feature)
    await expect(start([], {}, { imports: [Feature] })).rejects.toThrow(
      /^TasksModule is imported 2 times, by \w+ and \w+\. Call forRoot or forRootAsync once, in the app's module: what it provides is there in all modules\.$/,
    )
  })

  it('says where the data source is to come from', async () => {
    const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
    await expect(start([], { tasks: { default: { BACKEND } } })).rejects.toThrow(
      'TASKS.default has no OPTIONS.dataSource, and the app provides no DataSource. Import TypeOrmModule.forRoot({ … });',
    )
  })

  it.each([
    [{ task: {} }, 'TasksModule: unknown option "task". Did you mean "tasks"?'],
    [{}, 'TasksModule, tasks: expected TASKS, an object of backends by alias, got undefined.'],
    [
      { tasks, worker: true },
      "TasksModule, worker: expected a worker's options, or false, got true.",
    ],
    [
      { tasks, middleware: {} },
      'TasksModule, middleware: expected a list of providers, got an object (Object).',
    ],
  ])('refuses the options %j', async (options, message) => {
    expect(() => TasksModule.forRoot(options as never)).toThrow(message)
    const late = TasksModule.forRootAsync({ useFactory: () => options as never })
    await expect(Test.createTestingModule({ imports: [late] }).compile()).rejects.toThrow(message)
  })

  it('refuses options that are none of forRootAsync', () => {
    expect(() => TasksModule.forRootAsync({ tasks } as never)).toThrow(
      'TasksModule.forRootAsync: unknown option "tasks".',
    )
    expect(() => TasksModule.forRootAsync({ useFactory: {} } as never)).toThrow(
      'TasksModule.forRootAsync, useFactory: expected a function that gives the options',
    )
  })

  it('refuses as middleware what is not provided, what is not one for all, and what has no method', async () => {
    class Around implements Middleware {
      run(_: unknown, next: () => Promise<unknown>): Promise<unknown> {
        return next()
      }
    }
    await expect(start([], { middleware: [Around] })).rejects.toThrow(
      'TasksModule, middleware: Around is no provider of the app, or not one for all. List it among the providers of a module, without scope: Scope.REQUEST or TRANSIENT.',
    )
    Injectable({ scope: Scope.REQUEST })(Around)
    await expect(start([Around], { middleware: [Around] })).rejects.toThrow('not one for all')
    await expect(start([Mail], { middleware: [Mail as never] })).rejects.toThrow(
      'TasksModule, middleware: Mail has neither a method enqueue nor run. Write run(',
    )
  })
})

describe('Tasks.of', () => {
  it('says of a method that is no task which are', () => {
    expect(() => Reflect.get(Tasks.of(Mail), 'plain')).toThrow(
      'Mail.plain is no task. Put @TaskHandler on it; tasks of Mail are: welcome.',
    )
    expect(() => Tasks.of(class Bare {})).toThrow(
      "Bare has no task. Put @TaskHandler('some.name') on a method of it.",
    )
    expect(() => Tasks.of(undefined as never)).toThrow('undefined has no task.')
    expect(() => InjectTask(undefined as never, 'welcome' as never)).toThrow(
      "@InjectTask(undefined, 'welcome'): the class is not there yet.",
    )
    expect(() => InjectTask(Mail, 'plain')).toThrow('Mail.plain is no task.')
  })

  it('may be awaited, and takes a class that this app does not provide', async () => {
    await start([])
    const handles = await Promise.resolve(Tasks.of(Mail))
    expect(handles.welcome.name).toBe('bad.welcome')
    await expect(handles.welcome.call(1)).rejects.toThrow(
      'Task "bad.welcome" cannot run here: no running app in this process provides Mail, whose method welcome it is. List the class among the providers of a module, load that module first if LazyModuleLoader does it, or serve its queue elsewhere.',
    )
  })

  it('gives tasks that a factory has made, with the methods that they inherit', async () => {
    class Reports extends Mail {
      @TaskHandler('bad.report', {
        takesContext: true,
        schedules: { 'bad.hourly': { cron: '@hourly' }, 'bad.often': { every: 60_000 } },
      })
      async report(context: TaskContext): Promise<number> {
        return context.attempt
      }
    }
    @Injectable()
    class Caller {
      constructor(
        @InjectTask(Reports, 'report') readonly report: { enqueue(): Promise<unknown> },
      ) {}
    }
    const app = await start([{ provide: 'reports', useFactory: () => new Reports() }, Caller])
    expect((await Tasks.of(Reports).report.enqueue()).returnValue).toBe(1)
    expect((await Tasks.of(Reports).welcome.enqueue(7)).returnValue).toBe(7)
    expect(app.get(Caller).report).toBeDefined()
    expect(schedules.all().map(({ name }) => name)).toEqual(['bad.hourly', 'bad.often'])
    await app.close()
    expect(schedules.all()).toEqual([])
  })

  it('warns of a class that two modules provide', async () => {
    const lines: string[] = []
    class Twice {
      @TaskHandler('bad.twice')
      async run(): Promise<void> {}
    }
    class Feature {}
    Module({ providers: [Twice] })(Feature)
    const quiet = { log: () => {}, error: () => {}, debug: () => {} }
    const app = await Test.createTestingModule({
      imports: [TasksModule.forRoot({ tasks }), Feature],
      providers: [Twice],
    })
      .setLogger({ ...quiet, warn: (line: string) => void lines.push(line) })
      .compile()
    opened.push(app)
    expect(lines).toEqual([
      expect.stringMatching(
        /^Twice is a provider of two modules, \w+ and \w+: its tasks run in the instance of \w+\. Export it from one of them/,
      ),
    ])
  })
})

it('makes request-scoped providers in the modules where they are, whatever others provide by the same token', async () => {
  class Ours {
    constructor(@Inject('place') private readonly place: string) {}

    @TaskHandler('good.ours')
    async run(): Promise<string> {
      return `ours in ${this.place}`
    }
  }
  class Theirs {
    @TaskHandler('good.theirs')
    async run(): Promise<string> {
      return 'theirs'
    }
  }
  const scope = Scope.REQUEST
  class One {}
  class Other {}
  const place = (value: string) => ({ provide: 'place', useValue: value })
  Module({ providers: [place('one'), { provide: 'jobs', useClass: Ours, scope }] })(One)
  Module({ providers: [place('other'), { provide: 'jobs', useClass: Theirs, scope }] })(Other)
  await start([], {}, { imports: [One, Other] })
  expect((await Tasks.of(Ours).run.enqueue()).returnValue).toBe('ours in one')
  expect((await Tasks.of(Theirs).run.enqueue()).returnValue).toBe('theirs')
})

describe('a dashboard', () => {
  it.each([
    [
      { path: ':id' },
      'DashboardModule, path: expected a path such as "admin/tasks", without parameters',
    ],
    [{ guards: [undefined] }, 'DashboardModule, guards: expected a list of guards'],
    [{ titel: 'x' }, 'unknown option "titel". Did you mean "title"?'],
  ])('refuses the options %j', (options, message) => {
    expect(() => DashboardModule.forRoot(options as never)).toThrow(message)
  })
})

it('injects the class itself, and single tasks, however early', async () => {
  @Injectable()
  class Caller {
    readonly early = Tasks.of(Mail).welcome

    constructor(
      @Inject(Tasks) readonly tasks: Tasks,
      @InjectTask(Mail, 'welcome') readonly task: Task<[number], number>,
    ) {}
  }
  const app = await start([Mail, Caller])
  const { early, tasks: injected, task } = app.get(Caller)
  for (const each of [early, injected.of(Mail).welcome, task])
    expect((await each.enqueue(42)).returnValue).toBe(42)
})
