import 'reflect-metadata'
import { Injectable, Module, Scope } from '@nestjs/common'
import { LazyModuleLoader } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { TaskHandler, Tasks, TasksModule } from 'typeorm-tasks/nestjs'
import { tasks } from '../../lib/registry'
import { schedules } from '../../lib/schedules/registry'

type Metadata = Parameters<typeof Test.createTestingModule>[0]

const TASKS = {
  default: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' },
} as const
const quiet = { log: () => {}, error: () => {}, debug: () => {} }

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close()
})

async function start({ imports = [], ...more }: Metadata, warn: (line: string) => void = () => {}) {
  const app = await Test.createTestingModule({
    ...more,
    imports: [TasksModule.forRoot({ tasks: TASKS }), ...imports],
  })
    .setLogger({ ...quiet, warn })
    .compile()
  await app.init()
  opened.push(app)
  return app
}

class Base {
  @TaskHandler('heirs.base')
  async base(): Promise<string> {
    return `base of ${this.constructor.name}`
  }

  @TaskHandler('heirs.changed')
  async changed(): Promise<string> {
    return 'as in Base'
  }
}

class Derived extends Base {
  @TaskHandler('heirs.own')
  async own(): Promise<string> {
    return 'own'
  }

  @TaskHandler('heirs.renamed')
  override async changed(): Promise<string> {
    return 'as in Derived'
  }
}

describe('a class that stands for its base', () => {
  it.each([
    ['useClass', { provide: Base, useClass: Derived }],
    ['useValue', { provide: Base, useValue: new Derived() }],
    ['useFactory', { provide: Base, useFactory: () => new Derived() }],
  ])('has the handlers of both, by %s', async (_, provider) => {
    await start({ providers: [provider] })
    const [base, derived] = [Tasks.of(Base), Tasks.of(Derived)]
    const all = [base.base, base.changed, derived.base, derived.own, derived.changed]
    const results = []
    for (const each of all) results.push((await each.enqueue()).returnValue)
    expect(results).toEqual([
      'base of Derived',
      'as in Derived',
      'base of Derived',
      'own',
      'as in Derived',
    ])
  })
})

describe('two heirs of one handler', () => {
  it('are refused with what makes them two tasks', async () => {
    class One extends Base {}
    class Other extends Base {}
    await expect(start({ providers: [One, Other] })).rejects.toThrow(
      'Two handlers are of task "heirs.base": One.base and Other.base, which are both the method of Base. Provide one of the two classes only, or override base in Other with a @TaskHandler of another name.',
    )
    await expect(start({ providers: [One, Base] })).rejects.toThrow('override base in One with')
  })

  it('are two tasks then', async () => {
    class Mails {
      @TaskHandler('heirs.mails')
      async run(): Promise<string> {
        return this.constructor.name
      }
    }
    class Letters extends Mails {
      @TaskHandler('heirs.letters')
      override async run(): Promise<string> {
        return super.run()
      }
    }
    await start({ providers: [Mails, Letters] })
    expect((await Tasks.of(Mails).run.enqueue()).returnValue).toBe('Mails')
    expect((await Tasks.of(Letters).run.enqueue()).returnValue).toBe('Letters')
    expect(tasks.names()).toEqual(['heirs.mails', 'heirs.letters'])
  })
})

it('warns once of a class that two modules provide', async () => {
  const lines: string[] = []
  class Twice {
    @TaskHandler('heirs.twice')
    async run(): Promise<void> {}

    @TaskHandler('heirs.again')
    async again(): Promise<void> {}
  }
  class One {}
  class Other {}
  for (const each of [One, Other]) Module({ providers: [Twice] })(each)
  await start({ imports: [One, Other] }, (line) => void lines.push(line))
  expect(lines).toEqual([
    'Twice is a provider of two modules, One and Other: its tasks run in the instance of One. Export it from one of them, and import that module in the other.',
  ])
})

describe('a module that is loaded later', () => {
  class Jobs {
    @TaskHandler('lazy.plain')
    async run(): Promise<string> {
      return 'plain'
    }
  }
  class Scoped {
    @TaskHandler('lazy.scoped', { schedule: { cron: '@daily' } })
    async run(): Promise<string> {
      return 'scoped'
    }
  }
  Injectable({ scope: Scope.REQUEST })(Scoped)
  class LazyModule {}
  Module({ providers: [Jobs, Scoped] })(LazyModule)

  it('has handlers from then on, until the app is closed', async () => {
    const app = await start({})
    const loader = app.get(LazyModuleLoader)
    expect(tasks.names()).toEqual([])
    await expect(Tasks.of(Jobs).run.call()).rejects.toThrow(
      'load that module first if LazyModuleLoader does it',
    )
    for (let time = 0; time < 2; time++) await loader.load(() => LazyModule)
    expect((await Tasks.of(Jobs).run.enqueue()).returnValue).toBe('plain')
    expect((await Tasks.of(Scoped).run.enqueue()).returnValue).toBe('scoped')
    expect(schedules.all().map(({ name }) => name)).toEqual(['lazy.scoped'])
    await app.close()
    expect([tasks.names(), schedules.all()]).toEqual([[], []])
  })

  it('is refused with a handler of a name that there is', async () => {
    class Same {
      @TaskHandler('lazy.plain')
      async other(): Promise<void> {}
    }
    const app = await start({ providers: [Same] })
    await expect(app.get(LazyModuleLoader).load(() => LazyModule)).rejects.toThrow(
      'Two handlers are of task "lazy.plain": Same.other and Jobs.run.',
    )
  })
})
