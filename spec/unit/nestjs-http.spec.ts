import 'reflect-metadata'
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  VersioningType,
} from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { ResultNotFoundError } from 'typeorm-tasks'
import { DashboardModule, TasksModule } from 'typeorm-tasks/nestjs'

const tasks = {
  default: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' },
} as const

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close()
})

async function made(platform: string, metadata: Parameters<typeof Test.createTestingModule>[0]) {
  const testing = await Test.createTestingModule(metadata).compile()
  const app =
    platform === 'Express'
      ? testing.createNestApplication({ logger: false })
      : testing.createNestApplication(new FastifyAdapter(), { logger: false })
  opened.push(app)
  return app
}

describe.each(['Express', 'Fastify'])('in Nest on %s', (platform) => {
  it.each([
    { type: VersioningType.URI, defaultVersion: '1' },
    { type: VersioningType.HEADER, header: 'x-version' },
    { type: VersioningType.HEADER, header: 'x-version', defaultVersion: '1' },
    { type: VersioningType.MEDIA_TYPE, key: 'v=', defaultVersion: '1' },
  ] as const)('the dashboard has no version in an app with %j', async (versions) => {
    const app = await made(platform, {
      imports: [
        TasksModule.forRoot({ tasks }),
        DashboardModule.forRoot({ path: 'admin', authorize: () => 'all' }),
      ],
    })
    app.enableVersioning(versions)
    await app.listen(0, '127.0.0.1')
    expect((await fetch(`${await app.getUrl()}/admin/`)).status).toBe(200)
  })

  it.each([
    [undefined, 404],
    [false, 418],
  ])(
    'with httpErrors: %s an unknown id is a %i where a filter catches it',
    async (httpErrors, status) => {
      class Pages {
        get(): never {
          throw new ResultNotFoundError('7')
        }
      }
      const descriptor = Object.getOwnPropertyDescriptor(Pages.prototype, 'get') ?? {}
      Get()(Pages.prototype, 'get', descriptor)
      Controller('page')(Pages)

      class Teapot implements ExceptionFilter {
        catch(_: unknown, host: ArgumentsHost): void {
          const answer: unknown = host.switchToHttp().getResponse()
          const { status: code } = answer as { status(code: number): { send(text: string): void } }
          code.call(answer, 418).send('')
        }
      }
      Catch(ResultNotFoundError)(Teapot)
      const app = await made(platform, {
        imports: [TasksModule.forRoot({ tasks, httpErrors })],
        controllers: [Pages],
        providers: [{ provide: APP_FILTER, useClass: Teapot }],
      })
      await app.listen(0, '127.0.0.1')
      expect((await fetch(`${await app.getUrl()}/page`)).status).toBe(status)
    },
  )
})
