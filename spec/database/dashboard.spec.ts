import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskQueue,
  DBTaskResult,
  DBTaskWorker,
  group,
  runUntilEmpty,
  schedule,
  task,
  taskEntities,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import { schedules } from '../../lib/schedules/registry'
import { describeEachDatabase } from '../support/databases'
import { change, closeServed, serve } from '../support/dashboard'
import { catchLog } from '../support/tasks'

const login = task('page.login', (user: { name: string; password: string }) => {
  throw new Error(`no ${user.name} with ${user.password}`)
})
const fine = task('page.fine', (value: number) => value)

const LONG = 'x'.repeat(10_000)
const ID = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [...taskEntities], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  afterEach(async () => {
    await closeServed()
    await rows().clear()
    schedules.clear()
  })

  const rows = () => dataSource.getRepository(DBTaskResult)

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

    await rows().update({ id }, { progress: { done: 1, total: 2, note: 'with hunter22 of ann' } })
    for (const path of [`tasks/${id}`, 'tasks'])
      expect(JSON.stringify((await ask(path)).body)).toContain('with [redacted] of ann')

    const strict = await serve({ authorize: () => ['view'] })
    expect(JSON.stringify((await strict('tasks')).body)).not.toContain('ann')
    const hidden = (await strict(`tasks/${id}`)).body
    expect(hidden).toMatchObject({ args: '[hidden]', returnValue: '[hidden]' })
    expect(JSON.stringify(hidden)).not.toContain('ann')
    const closed = await serve({ redact: { show: ({ taskName }) => taskName !== 'page.login' } })
    expect(JSON.stringify((await closed(`tasks/${id}`)).body)).not.toContain('ann')
  })

  it('tells tasks of a list apart by a line of their arguments and of their error, redacted and cut', async () => {
    const { id } = await login.enqueue({ name: 'ann', password: 'hunter22' })
    await runUntilEmpty()
    await fine.enqueueWith({ args: ['x'.repeat(500)], kwargs: { user: 7 } })
    await fine.enqueueWith({ args: ['x'.repeat(60_000)], kwargs: {} })
    await fine.enqueueWith({ args: [], kwargs: {} })
    const ask = await serve()

    const { body } = await ask('tasks')
    const lines = body.tasks.map((task: object) => {
      const { excerpt, headline } = task as { excerpt: string | null; headline: string | null }
      return [excerpt, headline]
    })
    expect(lines).toEqual([
      [null, null],
      ['…', null],
      [`"${'x'.repeat(118)}…`, null],
      ['{"name":"ann","password":"[redacted]"}', 'Error: no ann with [redacted]'],
    ])
    expect((await ask(`tasks/${id}`)).body.latest).toMatchObject([{ headline: lines[3][1] }])
    for (const strict of [
      await serve({ authorize: () => ['view'] }),
      await serve({ redact: { show: () => false } }),
    ])
      expect((await strict('tasks?state=FAILED')).body.tasks).toMatchObject([
        { error: 'Error', headline: null, excerpt: null },
      ])
  })

  it.each([
    { path: 'tasks?limit=0', status: 400, said: 'whole number' },
    { path: 'tasks?limti=5', status: 400, said: 'limit' },
    { path: 'tasks?limit=5&limit=6', status: 400, said: 'twice' },
    { path: 'tasks?state=DONE', status: 400, said: 'READY, RUNNING' },
    { path: 'tasks?before=1', status: 400, said: 'id of a result' },
    { path: 'tasks?task=' + LONG.slice(0, 2_000), status: 400, said: '1000 characters' },
    { path: 'tasks?text=' + LONG, status: 400, said: 'at most 8000' },
    { path: 'tasks?from=yesterday', status: 400, said: '2030-01-31T18:00:00Z' },
    { path: 'tasks?from=0000-01-01T00:00:00Z', status: 400, said: '2030-01-31T18:00:00Z' },
    { path: 'tasks?args.=1', status: 400, said: 'args.0.user.id' },
    { path: 'tasks?queue=%00', status: 400, said: 'queue' },
    { path: 'tasks/%zz', status: 400, said: 'Encode' },
    { path: 'queues/default', status: 404, said: 'Not found' },
    { path: 'history?hours=0', status: 400, said: 'whole number' },
    { path: 'overview?x=1', status: 400, said: 'no parameter' },
    { path: 'tasks?backend=other', status: 400, said: 'default' },
    { path: `tasks/${ID}`, status: 404, said: ID },
    { path: 'tasks/1', status: 400, said: 'no id' },
    { path: 'tasks/a/b', status: 404, said: 'Not found' },
    { path: 'constructor', status: 404, said: 'Not found' },
    { path: '', status: 404, said: 'Not found' },
  ])('answers $said by $status', async ({ path, status, said }) => {
    const answer = await (await serve())(path)
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      status,
      expect.stringContaining(said),
    ])
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it('finds tasks by state, worker, error, time, argument and text', async () => {
    const failed = await login.enqueue({ name: 'ann', password: 'x' })
    await runUntilEmpty()
    const later = await fine.using({ runAfter: new Date('2099-01-01') }).enqueue(7)
    const due = await fine.enqueue(8)
    const [, worker] = [await failed.refresh(), (await failed.refresh()).workerIds[0] ?? '']
    const between = new Date((later.enqueuedAt?.getTime() ?? 0) + 60_000).toISOString()
    const ask = await serve()
    const found = async (filter: string) =>
      (await ask(`tasks?${filter}`)).body.tasks.map(({ id }: { id: string }) => id)

    expect(await found('state=FAILED')).toEqual([failed.id])
    expect(await found('state=LATER')).toEqual([later.id])
    expect(await found('state=DUE')).toEqual([due.id])
    expect(await found('state=READY')).toEqual([due.id, later.id])
    expect(await found(`worker=${worker}`)).toEqual([failed.id])
    expect(await found('error=Error')).toEqual([failed.id])
    expect(await found('args.0.name=ann')).toEqual([failed.id])
    expect(await found('args.0=8')).toEqual([due.id])
    expect(await found('text=ANN')).toEqual([failed.id])
    expect(await found(`from=${between}`)).toEqual([])
    expect(await found(`to=${between}&task=page.fine`)).toEqual([due.id, later.id])
  })

  it('looks for no value that is hidden: of secret keys, of hidden tasks, without the permission', async () => {
    await login.enqueue({ name: 'ann', password: 'hunter22' })
    const ask = await serve({ redact: { keys: [/^iban$/] } })
    for (const path of ['0.password', 'user.apiKey', '0.iban.x'])
      expect(await ask(`tasks?args.${path}=1`)).toMatchObject({
        status: 400,
        body: { error: { message: expect.stringContaining('redacted') } },
      })
    const strict = await serve({ authorize: () => ['view'] })
    for (const filter of ['args.0.name=ann', 'text=ann'])
      expect((await strict(`tasks?${filter}`)).status).toBe(403)
    const closed = await serve({ redact: { show: () => false } })
    expect((await closed('tasks?text=ann')).body.tasks).toEqual([])
    expect((await closed('tasks')).body.tasks).toHaveLength(1)
  })

  it('tells what became of the last hours, in steps that stay', async () => {
    await fine.enqueueMany([[1], [2], [3]])
    await runUntilEmpty()
    await fine.enqueue(4)
    const ask = await serve()

    const { steps } = (await ask('history?hours=2&steps=4')).body
    expect(steps).toHaveLength(4)
    expect(new Date(steps[1].from).getTime() - new Date(steps[0].from).getTime()).toBe(1_800_000)
    expect(steps[3].counts).toEqual({ READY: 1, RUNNING: 0, FAILED: 0, SUCCESSFUL: 3 })
    expect(steps[3].run.p95).toBeGreaterThanOrEqual(0)
    expect((await ask('history?hours=2&steps=4')).body.steps).toEqual(steps)
    expect((await ask('history?steps=201')).status).toBe(400)
  })

  it('shows schedules in words, with their next and last slots', async () => {
    schedule('page.nightly', fine, { cron: '30 2 * * *', timeZone: 'Europe/Berlin', args: [1] })
    schedule('page.often', fine, { every: 900_000, args: [1], enabled: false })
    const ask = await serve()

    const { body } = await ask('schedules')
    expect(body.schedules).toMatchObject([
      {
        name: 'page.nightly',
        task: 'page.fine',
        when: '30 2 * * *',
        words: 'At 02:30',
        last: null,
      },
      { name: 'page.often', when: 'every 15 min', words: 'every 15 min', enabled: false },
    ])
    expect(body.schedules[0].next).toHaveLength(5)
    const fired = await ask('schedules/page.nightly/run', change({}))
    expect(fired.status).toBe(200)
    expect(await rows().findOneByOrFail({ id: fired.body.id })).toMatchObject({ status: 'READY' })
    expect((await ask('schedules/page.nihgtly/run', change({}))).body.error.message).toContain(
      'page.nightly',
    )
  })

  it('says with the title what somebody may do', async () => {
    const ask = await serve({
      authorize: () => ['view', 'retry'],
      title: 'Shop',
      environment: 'staging',
    })
    expect((await ask('overview')).body).toMatchObject({
      title: 'Shop',
      environment: 'staging',
      permissions: ['view', 'retry'],
      now: expect.stringMatching(/Z$/),
    })
  })

  it('changes nothing by what is only read', async () => {
    const { id } = await login.enqueue({ name: 'ann', password: 'hunter22' })
    await runUntilEmpty()
    await group([fine.order(1), fine.order(2)]).enqueue()
    schedule('page.nightly', fine, { cron: '30 2 * * *', args: [1] })
    const ask = await serve()
    const [backend] = backends.all()
    await backend?.pauseQueue('default', { reason: 'moving' })
    const all = async () =>
      JSON.stringify([
        await rows().find({ order: { id: 'ASC' } }),
        await dataSource.getRepository(DBTaskQueue).find(),
        await dataSource.getRepository(DBTaskWorker).find(),
      ])
    const before = await all()

    for (const path of [
      'overview',
      'tasks',
      'tasks?text=ann&state=FAILED&args.0.name=ann',
      `tasks/${id}`,
      'history',
      'workers',
      'schedules',
    ]) {
      for (const method of ['GET', 'HEAD']) expect((await ask(path, { method })).status).toBe(200)
      for (const header of ['content-security-policy', 'x-frame-options', 'referrer-policy'])
        expect((await ask(path)).headers.get(header)).not.toBeNull()
    }
    for (const path of ['tasks/retry', 'queues/default/pause', 'schedules/page.nightly/run'])
      expect((await ask(path)).status).toBeGreaterThanOrEqual(400)

    expect(await all()).toBe(before)
    await backend?.resumeQueue('default')
  })

  it('shows nothing to somebody of whom it cannot tell who they are, and logs why', async () => {
    const lines = catchLog()
    const fault = (): never => {
      throw new Error('the session store is away')
    }
    for (const options of [
      { authorize: fault },
      { authorize: () => 'all' as const, user: fault },
      { authorize: () => 'everything' as never },
      { authorize: async () => fault() },
    ]) {
      const { status, body } = await (await serve(options))('tasks')
      expect([status, JSON.stringify(body)]).toEqual([503, expect.not.stringContaining('session')])
    }
    expect(lines.filter(([level]) => level === 'error')).toHaveLength(4)
  })
})
