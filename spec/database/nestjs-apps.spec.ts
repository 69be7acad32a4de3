import 'reflect-metadata'
import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { TypeOrmModule } from '@nestjs/typeorm'
import { DataSource } from 'typeorm'
import { DBTaskResult, type Middleware, type RunContext, type WorkerOptions } from 'typeorm-tasks'
import { TaskHandler, Tasks, TasksModule } from 'typeorm-tasks/nestjs'
import { backends } from '../../lib/backend-registry'
import { tasks } from '../../lib/registry'
import { schedules } from '../../lib/schedules/registry'
import { describeEachDatabase, type FreshOptions } from '../support/databases'

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
const said: string[] = []
beforeEach(() => void said.splice(0))

@Injectable()
class Jobs {
  @TaskHandler('apps.plain', { schedule: { cron: '0 7 * * *' } })
  async plain(value: number): Promise<number> {
    return value
  }
}

@Injectable()
class Around implements Middleware {
  run(_: RunContext, next: () => Promise<unknown>): Promise<unknown> {
    said.push('around')
    return next()
  }
}

interface Wish {
  worker?: WorkerOptions
  providers?: ModuleMetadata['providers']
}

const opened: { close(): Promise<void> }[] = []
const sources: DataSource[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close().catch(() => {})
  // Nest closes nothing of an app that does not start.
  for (const each of sources.splice(0)) if (each.isInitialized) await each.destroy()
})

async function made(options: FreshOptions, { worker, providers = [] }: Wish = {}) {
  @Module({
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => ({ ...options, entities: [DBTaskResult], synchronize: true }),
        dataSourceFactory: async (given) => {
          const dataSource = await new DataSource(given ?? options).initialize()
          sources.push(dataSource)
          return dataSource
        },
      }),
      TasksModule.forRoot({
        tasks: { default: { BACKEND } },
        worker: worker ?? false,
        middleware: [Around],
      }),
    ],
    providers: [Around, Jobs, ...providers],
  })
  class AppModule {}
  const app = await Test.createTestingModule({ imports: [AppModule] }).compile()
  opened.push(app)
  return app
}

function left(): unknown {
  return [tasks.names(), schedules.all().length, backends.isConfigured]
}

const NOTHING = [[], 0, false]

describeEachDatabase(({ fresh }) => {
  it('a second app is refused while the first is open, which goes on, and gives all back when it is closed', async () => {
    expect(left()).toEqual(NOTHING)
    const first = await (await made(await fresh(), { worker: { interval: 20 } })).init()
    const second = await fresh()
    await expect(made(second)).rejects.toThrow(
      'Another app with TasksModule is open in this process, and a process has tasks, schedules and TASKS once. Await close() of that app before this one is made',
    )
    const result = await Tasks.of(Jobs).plain.enqueue(7)
    while (!result.isFinished) {
      await sleep(20)
      await result.refresh()
    }
    expect(result.returnValue).toBe(7)
    expect(said).toEqual(['around'])
    await first.close()
    expect(left()).toEqual(NOTHING)
    await (await made(second)).init()
    expect(left()).toEqual([['apps.plain'], 1, true])
  })

  it('of two that start at once one is refused', async () => {
    const both = await Promise.all([fresh(), fresh()])
    const ends = await Promise.allSettled(both.map(async (options) => (await made(options)).init()))
    const refused = ends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []))
    expect(refused).toEqual([
      expect.stringContaining('Another app with TasksModule was made in this process before'),
    ])
    expect(left()).toEqual([['apps.plain'], 1, true])
  })

  it('what an app leaves that fails at its bootstrap does not meet the next one', async () => {
    class Fails {
      onApplicationBootstrap(): void {
        throw new Error('boom')
      }
    }
    await expect((await made(await fresh(), { providers: [Fails] })).init()).rejects.toThrow('boom')
    const app = await (await made(await fresh())).init()
    expect(schedules.all()).toHaveLength(1)
    await Tasks.of(Jobs).plain.call(1)
    await app.close()
    expect(left()).toEqual(NOTHING)
  })

  it('an app whose worker does not start gives all back at once', async () => {
    const app = await made(await fresh(), { worker: { queues: ['nowhere'] } })
    await expect(app.init()).rejects.toThrow('nowhere')
    expect(left()).toEqual(NOTHING)
  })

  it('modules enqueue until the end', async () => {
    class Late {
      async onApplicationShutdown(): Promise<void> {
        const { status } = await Tasks.of(Jobs).plain.enqueue(1)
        said.push(status)
      }
    }
    const app = await (await made(await fresh(), { providers: [Late] })).init()
    opened.pop()
    await app.close()
    expect(said).toEqual(['READY'])
    expect(left()).toEqual(NOTHING)
  })
})
