import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { type Change, dashboard, type DashboardOptions } from '../../dashboard'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const login = task('page.login', (user: { name: string; password: string }) => {
  throw new Error(`no ${user.name} with ${user.password}`)
})
const fine = task('page.fine', (value: number) => value)

const ID = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'

interface Reply {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- what the API gives is looked at
  readonly body: any
}

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource
  let servers: Server[] = []

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  afterEach(async () => {
    for (const server of servers) server.close()
    servers = []
    await rows().clear()
  })

  const rows = () => dataSource.getRepository(DBTaskResult)

  /** Served under a path, as an app would. */
  async function serve(
    options: DashboardOptions = {},
  ): Promise<(path: string, init?: RequestInit) => Promise<Reply>> {
    const { node } = dashboard(options)
    const server = createServer((request, response) => void node(request, response))
    servers.push(server)
    await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    return async (path, init) => {
      const answer = await fetch(`http://127.0.0.1:${port}/admin/tasks/api/1/${path}`, init)
      const text = await answer.text()
      return { status: answer.status, headers: answer.headers, body: text && JSON.parse(text) }
    }
  }

  const change = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tasks': '1',
      'sec-fetch-site': 'same-origin',
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

  it('lists tasks page by page, the newest first, by what is asked for', async () => {
    const all = await fine.enqueueMany(Array.from({ length: 5 }, (_, i) => [i] as [number]))
    const ids = all.map(({ id }) => id).toReversed()
    const ask = await serve()

    const first = await ask('tasks?limit=2&state=READY&task=page.fine')
    expect(first.body.tasks.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2))
    const next = await ask(`tasks?limit=3&before=${first.body.next}`)
    expect(next.body.tasks.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2))
    expect((await ask('tasks?state=FAILED')).body).toEqual({
      tasks: [],
      next: null,
      searchedTo: null,
    })
    expect((await ask('overview')).body.backends).toMatchObject([
      { alias: 'default', queues: [{ name: 'default', due: 5, running: 0 }], problem: null },
    ])
  })

  it('shows a task without what is secret, in arguments and in the traceback that quotes them', async () => {
    const { id } = await login.enqueue({ name: 'ann', password: 'hunter22' })
    await runUntilEmpty()
    const ask = await serve()

    const { status, body } = await ask(`tasks/${id}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ task: 'page.login', status: 'FAILED', args: [{ name: 'ann' }] })
    expect(body.errors[0].traceback).toContain('no ann with [redacted]')
    expect(JSON.stringify(body)).not.toContain('hunter22')

    const strict = await serve({ authorize: () => ['view'] })
    const hidden = (await strict(`tasks/${id}`)).body
    expect(hidden).toMatchObject({ args: '[hidden]', returnValue: '[hidden]' })
    expect(JSON.stringify(hidden)).not.toContain('ann')
    const closed = await serve({ redact: { show: ({ taskName }) => taskName !== 'page.login' } })
    expect(JSON.stringify((await closed(`tasks/${id}`)).body)).not.toContain('ann')
  })

  it('has FAILED tasks run again, cancels, says why not, and tells who did it', async () => {
    const failed = await login.enqueue({ name: 'ann', password: 'x' })
    await runUntilEmpty()
    const waiting = await fine.enqueue(1)
    const heard: Change[] = []
    const ask = await serve({
      authorize: () => 'all',
      user: () => 'bob',
      audit: (said) => void heard.push(said),
    })

    const retried = await ask('tasks/retry', change({ ids: [failed.id, waiting.id, ID] }))
    expect(retried.body.changed).toEqual([failed.id])
    expect(retried.body.refused.map(({ id }: { id: string }) => id)).toEqual([waiting.id, ID])
    expect((await failed.refresh()).status).toBe('READY')
    await ask('tasks/cancel', change({ ids: [waiting.id.toUpperCase()] }))
    expect((await waiting.refresh()).status).toBe('FAILED')
    expect(heard).toEqual([
      {
        user: 'bob',
        action: 'retry',
        backend: 'default',
        ids: [failed.id, waiting.id, ID],
        changed: 1,
      },
      { user: 'bob', action: 'cancel', backend: 'default', ids: [waiting.id], changed: 1 },
    ])
  })

  it.each([
    ['nothing', null, 404, 404, 404],
    ['that one logs in', 'login', 401, 401, 401],
    ['to look', ['view'], 200, 403, 403],
    ['to retry', ['view', 'retry'], 200, 200, 403],
    ['to cancel', ['view', 'values', 'cancel'], 200, 403, 200],
    ['all', 'all', 200, 200, 200],
  ] as const)(
    'whoever is granted %s can do that and no more',
    async (_what, granted, look, retry, cancel) => {
      const ask = await serve({ authorize: async () => granted })
      const before = await rows().find()
      expect((await ask('tasks')).status).toBe(look)
      expect((await ask('tasks/retry', change({ ids: [ID] }))).status).toBe(retry)
      expect((await ask('tasks/cancel', change({ ids: [ID] }))).status).toBe(cancel)
      expect(await rows().find()).toEqual(before)
    },
  )

  it('changes nothing for other sites, forms, or whoever only reads', async () => {
    const { id } = await fine.enqueue(1)
    const ask = await serve()
    for (const [status, init] of [
      [403, change({ ids: [id] }, { 'sec-fetch-site': 'cross-site' })],
      [403, change({ ids: [id] }, { 'x-tasks': '' })],
      [415, change({ ids: [id] }, { 'content-type': 'text/plain' })],
      [400, { method: 'GET' }],
      [405, { method: 'PUT' }],
    ] as const)
      expect((await ask('tasks/cancel', init)).status).toBe(status)
    expect((await rows().findOneByOrFail({ id })).status).toBe('READY')
  })

  it.each([
    ['tasks?limit=0', 400, 'whole number'],
    ['tasks?limti=5', 400, 'limit'],
    ['tasks?limit=5&limit=6', 400, 'twice'],
    ['tasks?state=DONE', 400, 'READY, RUNNING'],
    ['tasks?before=1', 400, 'id of a result'],
    [`tasks?task=${'x'.repeat(2_000)}`, 400, '1000 characters'],
    ['tasks?backend=other', 400, 'default'],
    [`tasks/${ID}`, 404, ID],
    ['tasks/1', 400, 'no id'],
    ['tasks/a/b', 404, 'Not found'],
    ['constructor', 404, 'Not found'],
    ['', 404, 'Not found'],
  ])('answers %s by %i, and says what is wrong', async (path, status, said) => {
    const answer = await (await serve())(path)
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      status,
      expect.stringContaining(said),
    ])
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it.each([
    ['no JSON', '{'],
    ['no ids', {}],
    ['none', { ids: [] }],
    ['too many', { ids: Array<string>(1_001).fill(ID) }],
    ['no id', { ids: ['1'] }],
    ['an object', { ids: [{ $ne: 1 }] }],
    ['more', { ids: [ID], all: true }],
    ['too long', ' '.repeat(70_000)],
  ])('refuses a change whose body has %s', async (_what, body) => {
    const answer = await (await serve())('tasks/cancel', change(body))
    expect([answer.status, answer.body.error.code]).toEqual([400, 'USAGE'])
  })
})
