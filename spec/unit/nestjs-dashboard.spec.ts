import 'reflect-metadata'
import { type CanActivate, type ExecutionContext, Inject, Injectable, Module } from '@nestjs/common'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { DashboardModule, TasksModule } from 'typeorm-tasks/nestjs'
import { task } from '#define'
import { askOf, change } from '../support/dashboard'

const IMMEDIATE = 'typeorm-tasks/backends/immediate#ImmediateBackend'
const fine = task('nest.fine', (value: number) => value)

@Injectable()
class Admins {
  readonly names = ['ann']
}

@Injectable()
class AdminGuard implements CanActivate {
  constructor(@Inject(Admins) private readonly admins: Admins) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ headers: { user?: string }; user?: object }>()
    const { user = '' } = request.headers
    request.user = { name: user }
    return this.admins.names.includes(user)
  }
}

@Module({ providers: [Admins], exports: [Admins] })
class AdminModule {}

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close()
})

describe.each(['Express', 'Fastify'])('in Nest on %s', (platform) => {
  it.each(['', 'internal'])(
    'the dashboard is a page behind the guards of the app, with the global prefix "%s"',
    async (prefix) => {
      const logged: string[] = []
      const testing = await Test.createTestingModule({
        imports: [
          TasksModule.forRoot({ tasks: { default: { BACKEND: IMMEDIATE } } }),
          DashboardModule.forRoot({
            path: 'admin/tasks',
            guards: [AdminGuard],
            imports: [AdminModule],
            audit: ({ user, action }) => logged.push(`${JSON.stringify(user)} ${action}`),
          }),
        ],
      }).compile()
      const app =
        platform === 'Express'
          ? testing.createNestApplication({ logger: false })
          : testing.createNestApplication(new FastifyAdapter(), { logger: false })
      opened.push(app)
      app.setGlobalPrefix(prefix)
      await app.listen(0, '127.0.0.1')
      const url = `${await app.getUrl()}${prefix === '' ? '' : `/${prefix}`}/admin/tasks`
      const ann = { headers: { user: 'ann' } }
      const { id } = await fine.enqueue(1)

      expect((await fetch(`${url}/`)).status).toBe(403)
      const page = await fetch(url, ann)
      expect([page.status, page.url, page.headers.get('content-type')]).toEqual([
        200,
        `${url}/`,
        'text/html; charset=utf-8',
      ])
      const ask = askOf(`${url}/api/1/`)
      expect((await ask('tasks')).status).toBe(403)
      expect((await ask('tasks', ann)).body).toMatchObject({ tasks: [{ id }] })
      const copied = await ask(
        'tasks/copy',
        change({ ids: [id] }, { user: 'ann', origin: new URL(url).origin }),
      )
      expect(copied.status).toBe(200)
      expect(logged).toEqual(['{"name":"ann"} copy'])
    },
  )
})
