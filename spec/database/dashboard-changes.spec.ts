import { connect } from 'node:net'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  group,
  runUntilEmpty,
  setLogger,
  task,
  taskEntities,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import type { Change } from '../../dashboard'
import { describeEachDatabase } from '../support/databases'
import { change, closeServed, serve, served } from '../support/dashboard'
import { catchLog } from '../support/tasks'

const fails = task('changes.fails', (secret: { password: string }) => {
  throw new Error(`not with ${secret.password}`)
})
const fine = task('changes.fine', (value: number) => value)
const once = task('changes.once', (value: number) => value, {
  uniqueKey: (value) => `once-${value}`,
})
const sum = task('changes.sum', (values: number[]) => values.reduce((a, b) => a + b, 0))

const ID = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'

/** Every change that there is, with the permission that it needs, and the answer to who has that. */
const ACTIONS = [
  ['tasks/retry', { ids: [ID] }, 'retry', 200],
  ['tasks/cancel', { ids: [ID] }, 'cancel', 200],
  ['tasks/delete', { ids: [ID] }, 'delete', 200],
  ['tasks/prioritise', { ids: [ID], priority: 3 }, 'run', 200],
  ['tasks/copy', { ids: [ID] }, 'run', 200],
  ['queues/default/pause', {}, 'queues', 200],
  ['queues/default/resume', {}, 'queues', 200],
  ['schedules/none/run', {}, 'run', 404],
] as const

/** What an answer to a change of the filter says, line by line. */
function linesOf(text: string) {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

describeEachDatabase((database) => {
  let dataSource: DataSource
  let lines = catchLog()

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [...taskEntities], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  beforeEach(() => (lines = catchLog()))
  afterEach(async () => {
    await closeServed()
    await rows().clear()
  })

  const rows = () => dataSource.getRepository(DBTaskResult)
  const statusOf = async (id: string) => (await rows().findOneByOrFail({ id })).status

  it('has FAILED tasks run again, cancels, says why not, and tells who did it', async () => {
    const failed = await fails.enqueue({ password: 'x' })
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

  it.each(ACTIONS)('%s is for who has the permission alone', async (path, body, needed, answer) => {
    for (const granted of ['values', 'retry', 'cancel', 'run', 'delete', 'queues'] as const) {
      const ask = await serve({ authorize: () => ['view', granted] })
      const { status, body: said } = await ask(path, change(body))
      if (granted === needed) expect(status).toBe(answer)
      else expect([status, said.error.message]).toEqual([403, expect.stringContaining(needed)])
    }
    for (const [granted, status] of [
      [null, 404],
      [['retry', 'run'], 404],
      ['login', 401],
    ] as const)
      expect((await (await serve({ authorize: () => granted }))(path, change(body))).status).toBe(
        status,
      )
  })

  it.each<[string, number, Record<string, string>]>([
    ['that comes from here', 200, {}],
    ['of a browser that tells its origin alone', 200, { 'sec-fetch-site': '', origin: 'OWN' }],
    ['of another site', 403, { 'sec-fetch-site': 'cross-site' }],
    ['of another host of the site', 403, { 'sec-fetch-site': 'same-site' }],
    ['of another origin', 403, { 'sec-fetch-site': '', origin: 'https://evil.example' }],
    ['of no origin', 403, { 'sec-fetch-site': '', origin: 'null' }],
    [
      'of an origin that is allowed',
      200,
      { 'sec-fetch-site': 'cross-site', origin: 'https://ok.example' },
    ],
    ['that says nothing of where it comes from', 403, { 'sec-fetch-site': '' }],
    ['without its header', 403, { 'x-tasks': '' }],
    ['of a form', 415, { 'content-type': 'application/x-www-form-urlencoded' }],
    ['of a form with text', 415, { 'content-type': 'text/plain' }],
  ])('a change %s is answered by %i', async (_what, status, more) => {
    const { id } = await fine.enqueue(1)
    const { api } = await served({ authorize: () => 'all', origins: ['https://ok.example'] })
    const own = new URL(api).origin
    const headers = Object.entries(more).map(([name, value]) => [
      name,
      value === 'OWN' ? own : value,
    ])
    const init = change({ ids: [id] }, Object.fromEntries(headers) as Record<string, string>)
    const sent = new Headers(init.headers)
    for (const [name, value] of sent) if (value === '') sent.delete(name)
    const answer = await fetch(`${api}tasks/cancel`, { ...init, headers: sent })
    expect([answer.status, await statusOf(id)]).toEqual([
      status,
      status === 200 ? 'FAILED' : 'READY',
    ])
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('copies a task with its arguments, queue and priority, but not what takes of others', async () => {
    const failed = await fails
      .using({ priority: 7, queueName: 'default' })
      .enqueue({ password: 'x' })
    const held = await once.enqueue(1)
    const flow = await group([fine.order(1), fine.order(2)])
      .next((values) => sum.order(values))
      .enqueue()
    const [step] = (await rows().findBy({ taskPath: 'changes.sum' })).map(({ id }) => id)
    expect(flow).toBeDefined()
    const ask = await serve()

    const { body } = await ask('tasks/copy', change({ ids: [failed.id, held.id, step] }))

    expect(body.changed).toEqual([failed.id])
    expect(body.refused).toEqual([
      { id: held.id, message: expect.stringContaining('has the key') },
      { id: step, message: expect.stringContaining('flow') },
    ])
    const copies = await rows().findBy({ taskPath: 'changes.fails' })
    expect(copies).toHaveLength(2)
    for (const row of copies)
      expect(row).toMatchObject({
        priority: 7,
        status: 'READY',
        argsKwargs: { args: [{ password: 'x' }] },
      })
  })

  it('changes all that a filter finds, tells how far it is, and changes no more than it may', async () => {
    await fine.enqueueMany(Array.from({ length: 60 }, (_, i) => [i] as [number]))
    const other = await fails.enqueue({ password: 'x' })
    const heard: Change[] = []
    const ask = await serve({ audit: (said) => void heard.push(said) })

    const some = await ask(
      'tasks/cancel',
      change({ filter: { task: 'changes.fine', state: 'DUE' }, atMost: 40 }),
    )
    expect(some.headers.get('content-type')).toContain('application/x-ndjson')
    const said = linesOf(some.body)
    expect(said.map(({ count }) => count)).toEqual([25, 40, 40])
    expect(said.at(-1)).toMatchObject({ isDone: true, refusedCount: 0 })
    expect(await rows().countBy({ status: 'FAILED' })).toBe(40)
    expect(heard).toMatchObject([
      { action: 'cancel', changed: 40, filter: { task: 'changes.fine', state: 'DUE' } },
    ])
    expect(heard[0]?.ids).toHaveLength(40)

    const rest = await ask(
      'tasks/cancel',
      change({ filter: { task: 'changes.fine' }, atMost: 1_000 }),
    )
    expect(linesOf(rest.body).at(-1)).toMatchObject({ isDone: true, count: 20, refusedCount: 40 })
    expect(await statusOf(other.id)).toBe('READY')
  })

  it('stops a change by a filter when nobody reads on, and tells the audit how far it came', async () => {
    await fine.enqueueMany(Array.from({ length: 2_000 }, (_, i) => [i] as [number]))
    const heard: Change[] = []
    const page = (await served({ audit: (said) => void heard.push(said) })).api
    const leaving = new AbortController()
    const answer = await fetch(`${page}tasks/cancel`, {
      ...change({ filter: { state: 'DUE' }, atMost: 5_000 }),
      signal: leaving.signal,
    })
    await answer.body?.getReader().read()
    leaving.abort()

    while (heard.length === 0) await new Promise((wake) => setTimeout(wake, 20))
    const cancelled = await rows().countBy({ status: 'FAILED' })
    expect(cancelled).toBeGreaterThan(0)
    expect(cancelled).toBeLessThan(2_000)
    expect(heard).toMatchObject([{ changed: cancelled }])
  })

  it.each([
    ['an unknown parameter', { filter: { stat: 'DUE' }, atMost: 1 }, 400, 'stat'],
    ['a page of it', { filter: { limit: '5' }, atMost: 1 }, 400, 'limit'],
    ['no number', { filter: {} }, 400, 'atMost'],
    ['too many', { filter: {}, atMost: 1e9 }, 400, '1000000'],
    ['a number for a text', { filter: { queue: 7 }, atMost: 1 }, 400, 'queue'],
    ['a list', { filter: ['state'], atMost: 1 }, 400, 'body'],
    ['ids as well', { filter: {}, atMost: 1, ids: [ID] }, 400, 'both'],
    ['a secret', { filter: { 'args.0.password': 'x' }, atMost: 1 }, 400, 'redacted'],
    ['a priority', { filter: {}, atMost: 1, priority: 1 }, 400, 'none'],
  ])('refuses a filter with %s', async (_what, body, status, said) => {
    const answer = await (await serve())('tasks/cancel', change(body))
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      status,
      expect.stringContaining(said),
    ])
  })

  it.each([undefined, 1.5, 101, '5'])('refuses the priority %p', async (priority) => {
    const answer = await (await serve())('tasks/prioritise', change({ ids: [ID], priority }))
    expect([answer.status, answer.body.error.hint]).toEqual([400, expect.stringContaining('-100')])
  })

  it.each([
    ['pause', { reason: 7 }],
    ['pause', { reason: '' }],
    ['pause', { reason: 'a\nb' }],
    ['pause', { reason: 'x'.repeat(201) }],
    ['pause', { forMs: 0 }],
    ['pause', { until: 'tomorrow' }],
    ['resume', { forMs: 1 }],
  ])('refuses to %s a queue with %j', async (what, body) => {
    const answer = await (await serve())(`queues/default/${what}`, change(body))
    expect([answer.status, answer.body.error.code]).toEqual([400, 'USAGE'])
  })

  it('says that it is the fault of who asks where there is no such queue, or half a body', async () => {
    const { api } = await served()
    const there = await fetch(`${api}queues/defualt/pause`, change({}))
    expect([there.status, await there.text()]).toEqual([
      400,
      expect.stringContaining('Did you mean \\"default\\"'),
    ])
    const before = lines.length
    const { hostname, port } = new URL(api)
    await new Promise<void>((done) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `POST /admin/tasks/api/1/tasks/cancel HTTP/1.1\r\nHost: ${hostname}:${port}\r\nX-Tasks: 1\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"ids"`,
          () => setTimeout(() => socket.destroy(), 100),
        )
      }).once('close', () => setTimeout(done, 200))
    })
    expect(lines.slice(before).filter(([level]) => level === 'error')).toEqual([])
  })

  it('lets a change stand whose audit fails, and logs that', async () => {
    const { id } = await fine.enqueue(1)
    for (const audit of [
      () => {
        throw new Error('the audit is away')
      },
      () => Promise.reject(new Error('the audit is away')),
    ]) {
      const ask = await serve({ audit })
      expect((await ask('tasks/cancel', change({ ids: [id] }))).status).toBe(200)
    }
    expect(await statusOf(id)).toBe('FAILED')
    const errors = lines.filter(([level]) => level === 'error')
    expect(errors.map(([, text]) => text)).toEqual([
      expect.stringContaining('the audit is away'),
      expect.stringContaining('the audit is away'),
    ])
  })

  it('logs each change where nobody audits', async () => {
    const { id } = await fine.enqueue(1)
    const ask = await serve({ user: () => ({ id: 7, name: 'ann', passwordHash: 'hunter22' }) })
    await ask('tasks/cancel', change({ ids: [id] }))
    expect(JSON.stringify(lines)).not.toContain('hunter22')
    expect(lines).toContainEqual([
      'info',
      `Dashboard: cancel in default, 1 changed by "ann": ${id}`,
    ])
  })

  it('says each change on the console of an app without a logger', async () => {
    const warned = jest.spyOn(console, 'warn').mockImplementation(() => {})
    setLogger()
    try {
      const ask = await serve({ user: () => 'ann' })
      await ask('queues/default/resume', change({}))
      await ask('tasks/cancel', change({ ids: [(await fine.enqueue(1)).id] }))
      expect(warned.mock.calls.flat().map(String)).toContainEqual(
        expect.stringMatching(/^Dashboard: cancel in default, 1 changed by "ann": [\da-f-]+$/),
      )
    } finally {
      warned.mockRestore()
      lines = catchLog()
    }
  })

  it('touches no task of a backend that it does not show, which is in the same table', async () => {
    const { id } = await fine.enqueue(1)
    await rows().update({ id }, { backendName: 'other' })
    const ask = await serve()
    expect((await ask(`tasks/${id}`)).status).toBe(404)
    for (const what of ['retry', 'cancel', 'copy', 'delete'])
      expect((await ask(`tasks/${what}`, change({ ids: [id] }))).body.changed).toEqual([])
    expect(await statusOf(id)).toBe('READY')
    expect(await rows().count()).toBe(1)
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
