import 'reflect-metadata'
import { Agent, get, type IncomingHttpHeaders, request as forward } from 'node:http'
import { serve as serveHono } from '@hono/node-server'
import type { INestApplication } from '@nestjs/common'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { configureTasks, DBTaskResult, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import type { Dashboard } from '../../dashboard'
import { describeEachDatabase } from '../support/databases'
import { askOf, change, closeServed, listening, made, Tab } from '../support/dashboard'
import { catchLog } from '../support/tasks'

const fine = task('mount.fine', (value: number) => value)

const express4 = require('express-4') as typeof express

const closing: (() => Promise<unknown>)[] = []

/** How a page is mounted under a path, '' or '/x'; gives the address of the server. */
type Mount = (page: Dashboard, path: string) => Promise<string>

class AppModule {}
Module({})(AppModule)

async function nest(app: INestApplication, { node }: Dashboard, path: string): Promise<string> {
  closing.push(() => app.close())
  app.use(path === '' ? '/' : path, node)
  await app.listen(0, '127.0.0.1')
  return app.getUrl()
}

async function inExpress(page: Dashboard, path: string, ...parsers: express.Handler[]) {
  return mountedIn(express(), page, path, ...parsers)
}

function mountedIn(
  app: express.Express,
  page: Dashboard,
  path: string,
  ...parsers: express.Handler[]
): Promise<string> {
  app.use(...parsers, (_request, _response, next) => next())
  app.use(path === '' ? '/' : path, page.node)
  return listening(app)
}

async function inFastify({ fastify: answer }: Dashboard, path: string): Promise<string> {
  const app = fastify()
  closing.push(() => app.close())
  app.all(`${path}/*`, answer)
  return app.listen({ port: 0, host: '127.0.0.1' })
}

async function inHono({ fetch: answer }: Dashboard, path: string): Promise<string> {
  const app = new Hono()
  app.all(`${path}/*`, (context) => answer(context.req.raw))
  return new Promise((resolve) => {
    const server = serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
      resolve(`http://127.0.0.1:${port}`),
    )
    closing.push(() => new Promise((done) => server.close(done)))
  })
}

/** Under another path, of another host. */
async function behindProxy(page: Dashboard, path: string): Promise<string> {
  const behind = await inExpress(page, `/inner${path}`, express.json())
  return listening((request, response) => {
    const url = `${behind}/inner${request.url}`
    const headers = { ...request.headers, host: 'inner.example' }
    const onward = forward(url, { method: request.method!, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    response.on('close', () => onward.destroy())
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
}

const MOUNTS: [string, Mount][] = [
  ['node:http', (page) => listening((request, response) => void page.node(request, response))],
  ['Express', (page, path) => inExpress(page, path)],
  ['Express whose bodies are parsed', (page, path) => inExpress(page, path, express.json())],
  ['Express 4', (page, path) => mountedIn(express4(), page, path, express4.json())],
  [
    'Express with bodies of text',
    (page, path) => inExpress(page, path, express.text({ type: '*/*' })),
  ],
  ['Express with raw bodies', (page, path) => inExpress(page, path, express.raw({ type: '*/*' }))],
  ['Fastify', inFastify],
  [
    'Nest on Express',
    async (page, path) =>
      nest(
        await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false }),
        page,
        path,
      ),
  ],
  [
    'Nest on Fastify',
    async (page, path) =>
      nest(
        await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false }),
        page,
        path,
      ),
  ],
  ['Hono', inHono],
  ['a proxy that rewrites the path', behindProxy],
]

describeEachDatabase(
  ({ connect }) => {
    beforeAll(async () => {
      catchLog()
      const dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    })
    afterEach(async () => {
      await closeServed()
      await Promise.all(closing.splice(0).map((close) => close()))
    })

    describe.each(MOUNTS)('mounted in %s', (_name, mount) => {
      it.each(['', '/x'])('under "%s/" it shows, changes and tells', async (path) => {
        const heard: unknown[] = []
        const page = made({ authorize: (request) => (heard.push(request), 'all') })
        const base = `${await mount(page, path)}${path}/`
        const { id } = await fine.enqueue(1)

        const html = await (await fetch(base)).text()
        expect(html).toContain('<!doctype html>')
        const ask = askOf(`${base}api/1/`)
        expect((await ask('overview')).body.backends[0].queues[0]).toMatchObject({
          name: 'default',
        })
        expect((await ask('tasks?limti=1')).status).toBe(400)
        expect((await fetch(`${base}api/1/overview`, { method: 'HEAD' })).status).toBe(200)
        const tab = await Tab.open(`${base}api/1/`, `tasks/${id}`)
        await until(() => tab.events.length > 0)
        const { body } = await ask('tasks/cancel', change({ ids: [id] }))
        expect(body).toEqual({ changed: [id], refused: [] })
        await until(() => tab.events.at(-1)?.data.value.status === 'FAILED')
        tab.leave()
        expect(heard.length).toBeGreaterThan(0)
      })
    })

    it.each(MOUNTS.filter(([name]) => name.startsWith('Express') || /Nest|proxy|node/.test(name)))(
      'in %s it leads from the address without a slash to the one with it',
      async (_name, mount) => {
        const url = await mount(made({ authorize: () => 'all' }), '/x')
        const answer = await fetch(`${url}/x`)
        expect([answer.status, answer.url, answer.redirected]).toEqual([200, `${url}/x/`, true])
      },
    )

    it('leaves an answer to what has answered before it, and the process goes on', async () => {
      const lines = catchLog()
      const page = made({
        authorize: () => new Promise((granted) => setTimeout(granted, 100, 'all')),
      })
      const url = await listening((request, response) => {
        void page.node(request, response)
        setTimeout(() => response.writeHead(504).end('too late'), 20)
      })
      const answer = await fetch(`${url}/api/1/overview`)
      expect([answer.status, await answer.text()]).toEqual([504, 'too late'])
      await new Promise((wake) => setTimeout(wake, 200))
      expect(lines).toEqual([])
    })

    it.each(['//', '/http://[bad/', '/%%'])('answers the address %s', async (path) => {
      const url = await listening((request, response) => void page.node(request, response))
      const page = made({ authorize: () => 'all' })
      const status = await new Promise((resolve) => {
        get({ port: new URL(url).port, path }, ({ statusCode }) => resolve(statusCode))
      })
      expect([200, 302, 400, 404]).toContain(status)
    })

    it.each(MOUNTS.filter(([name]) => /^(node:http|Express|Fastify)$/.test(name)))(
      'in %s a page that is closed keeps no connection of a tab that goes on asking',
      async (_name, mount) => {
        const page = made({ authorize: () => 'all' })
        const url = await mount(page, '')
        const agent = new Agent({ keepAlive: true })
        const ask = () => headersOf(`${url}/api/1/overview`, agent)
        expect((await ask()).connection).toBe('keep-alive')
        await page.close()
        expect((await ask()).connection).toBe('close')
        agent.destroy()
      },
    )
  },
  { only: ['sqlite'] },
)

function headersOf(url: string, agent: Agent): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, (answer) => {
      answer.resume().once('end', () => resolve(answer.headers))
    })
    request.once('error', reject)
  })
}

async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + 10_000
  while (!isSo()) {
    if (Date.now() > end) throw new Error('it has not come')
    await new Promise((wake) => setTimeout(wake, 20))
  }
}
