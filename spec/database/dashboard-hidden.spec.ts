import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty, task, taskEntities } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import type { Change } from '../../dashboard'
import { UNCHECKED } from '../../dashboard/security/redact'
import { describeEachDatabase, hasHexIds } from '../support/databases'
import { change, closeServed, serve } from '../support/dashboard'
import { readyRow } from '../support/row-values'
import { catchLog } from '../support/tasks'

const fine = task('hidden.fine', (value: unknown) => value)
const pay = task('hidden.pay', (value: unknown) => value)
const invite = task(
  'hidden.invite',
  (to: { email: string }) => {
    throw new Error(`no ${to.email}`)
  },
  { uniqueKey: (to) => `invite-${to.email}` },
)
const quote = task('hidden.quote', (of: { password: string }) => {
  throw new Error(`not with ${of.password}`)
})
const other = task('hidden.other', (value: string) => value, { uniqueKey: (value) => value })

describeEachDatabase(({ connect, name }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    dataSource = await connect({ entities: [...taskEntities], synchronize: true })
    configureTasks({
      default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } },
    })
    catchLog()
  })
  afterEach(async () => {
    await closeServed()
    await rows().clear()
  })

  const rows = () => dataSource.getRepository(DBTaskResult)
  const hexOf = (id: string) => id.replaceAll('-', '')

  /** A row as another program may have written it. */
  async function foreign(argsKwargs: string, taskPath = 'hidden.fine'): Promise<string> {
    const row = readyRow({ taskPath })
    await rows().save(row)
    const key = hasHexIds(name) ? hexOf(row.id) : row.id
    await dataSource.query(
      `UPDATE db_task_result SET args_kwargs = '${argsKwargs}' WHERE id = '${key}'`,
    )
    return row.id
  }

  it('answers a search alike, whatever tasks have that are not shown', async () => {
    await pay.enqueue('salary 5000')
    await pay.using({ queueName: 'board' }).enqueue('salary 6000')
    await fine.using({ queueName: 'board' }).enqueue('salary 6000')
    const ask = await serve({
      redact: {
        show: ({ taskName, queueName }) => taskName !== 'hidden.pay' && queueName !== 'board',
      },
    })
    const nothing = { tasks: [], next: null, searchedTo: null }
    for (const value of ['5000', '6000', '7000'])
      for (const filter of [`text=salary ${value}`, `args.0=salary ${value}`])
        expect((await ask(`tasks?${filter}&limit=1`)).body).toEqual(nothing)

    const { id } = await fine.enqueue('salary 5000')
    await pay.enqueueMany(Array.from({ length: 150 }, () => ['salary 5000'] as [string]))
    for (const filter of ['text=salary 5000', 'args.0=salary 5000']) {
      const { tasks, next } = (await ask(`tasks?${filter}&limit=1`)).body
      expect([tasks.map((each: { id: string }) => each.id), next]).toEqual([[id], null])
    }
    expect((await ask('tasks?limit=200')).body.tasks).toHaveLength(154)
    const found = await ask('tasks/cancel', change({ filter: { text: 'salary' }, atMost: 1_000 }))
    expect(found.body).toContain('"count":1,')
  })

  it('looks for no argument that has a secret in it', async () => {
    await fine.enqueue({ user: 'bob', password: 'hunter22' })
    const ask = await serve()
    for (const value of [
      '{"user":"bob","password":"hunter22"}',
      '[{"token":"x"}]',
      'postgres://app:guess@host',
    ])
      expect(await ask(`tasks?args.0=${encodeURIComponent(value)}`)).toMatchObject({
        status: 400,
        body: { error: { message: expect.stringContaining('redacted') } },
      })
    expect((await ask('tasks?args.0.user=bob')).body.tasks).toHaveLength(1)
  })

  it('tells nobody the unique key of a task, which is made of its arguments', async () => {
    const failed = await invite.enqueue({ email: 'ann@x.example' })
    await runUntilEmpty()
    const holder = await invite.enqueue({ email: 'ann@x.example' })
    const ask = await serve({ authorize: () => ['view', 'retry', 'run'] })
    for (const verb of ['retry', 'copy']) {
      const { body } = await ask(`tasks/${verb}`, change({ ids: [failed.id] }))
      expect(body.refused[0].message).toContain(holder.id)
      expect(JSON.stringify(body)).not.toContain('ann@')
    }
    const taken = await other.enqueue('invite-bob@x.example')
    const { id } = await invite.enqueue({ email: 'eve@x.example' })
    await rows().update({ id }, { argsKwargs: { args: [{ email: 'bob@x.example' }], kwargs: {} } })
    const { status, body } = await ask('tasks/copy', change({ ids: [id, taken.id] }))
    expect([status, body.refused.length]).toEqual([200, 2])
    expect(JSON.stringify(body)).not.toContain('@x.example')
  })

  it('takes an id with hyphens and without for the same task', async () => {
    const heard: Change[] = []
    const ask = await serve({ audit: (said) => void heard.push(said) })
    for (const [verb, more] of [
      ['prioritise', { priority: 2 }],
      ['copy', {}],
      ['cancel', {}],
      ['delete', {}],
    ] as const) {
      const { id } = await fine.enqueue(1)
      const ids = [hexOf(id), id.toUpperCase(), id]
      const { body } = await ask(`tasks/${verb}`, change({ ids, ...more }))
      expect([verb, body]).toEqual([verb, { changed: [id], refused: [] }])
      expect(heard.at(-1)).toMatchObject({ ids: [id], changed: 1 })
      if (verb === 'copy') expect((await ask(`tasks/${hexOf(id)}`)).body.id).toBe(id)
    }
    expect(await rows().countBy({ taskPath: 'hidden.fine' })).toBe(4)
  })

  it('tells of two who cancel a task at once one that it has', async () => {
    const heard: Change[] = []
    const ask = await serve({ audit: (said) => void heard.push(said) })
    for (let i = 0; i < 5; i++) {
      const { id } = await fine.enqueue(i)
      const both = await Promise.all([1, 2].map(() => ask('tasks/cancel', change({ ids: [id] }))))
      expect(both.map(({ body }) => body.changed.length).toSorted()).toEqual([0, 1])
    }
    expect(
      heard
        .map(({ changed }) => changed)
        .toSorted()
        .join(''),
    ).toBe('0000011111')
  })

  it('refuses alone a task that cannot be copied, and says why', async () => {
    await foreign('{"args":[{"__proto__":1}],"kwargs":{}}')
    await fine.enqueue('good')
    const ask = await serve()
    const copied = await ask('tasks/copy', change({ filter: { task: 'hidden.fine' }, atMost: 10 }))
    const last = JSON.parse(copied.body.trim().split('\n').at(-1))
    expect(last).toMatchObject({ isDone: true, count: 1, refusedCount: 1 })
    expect(last.error).toBeUndefined()
    expect(copied.body).toContain('cannot be stored again')
  })

  it('passes over values that are nested too deeply to be compared', async () => {
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
    const { id } = await fine.enqueue('zz')
    // Some databases take no such values.
    for (const levels of [4_000, 20_000])
      await foreign(`{"args":[${deep(levels)},"zz"],"kwargs":{}}`).catch(() => {})
    const ask = await serve()
    for (const filter of ['', 'text=zz', 'args.0=zz', 'args.0.0=zz'])
      expect((await ask(`tasks?${filter}`)).status).toBe(200)
    const found = (await ask('tasks?text=zz')).body.tasks
    expect(found.map((task: { id: string }) => task.id)).toContain(id)
  })

  it('reads no large values for a list, and shows there nothing that could quote them', async () => {
    const large = { text: 'x'.repeat(200_000), password: 'hunter22' }
    const { id } = await quote.enqueue(large)
    await fine.enqueue('y'.repeat(200_000))
    await runUntilEmpty()
    await rows().update({ id }, { progress: { done: 1, total: 2, note: 'with hunter22' } })
    const [backend] = backends.all()
    const browser = await backend?.openBrowser()
    const page = await browser?.tasks({ limit: 5, within: 5 })
    await browser?.close()
    const seen = page?.tasks.map((each) => JSON.stringify(each.toJSON()).length)
    expect(Math.max(...(seen ?? []))).toBeLessThan(5_000)

    const ask = await serve()
    const listed = (await ask('tasks?state=FAILED')).body.tasks
    expect(listed).toMatchObject([
      { id, error: 'Error', excerpt: '…', headline: null, progress: { note: UNCHECKED } },
    ])
    const { args, errors, progress } = (await ask(`tasks/${id}`)).body
    expect(args).toEqual([{ ...large, password: '[redacted]' }])
    expect([errors[0].traceback, progress.note]).toEqual([
      expect.stringContaining('not with [redacted]'),
      'with [redacted]',
    ])
    await ask('tasks/copy', change({ ids: [id] }))
    const copy = await rows().findOneByOrFail({ taskPath: 'hidden.quote', status: 'READY' })
    expect(copy.argsKwargs.args).toEqual([large])
  })

  it('looks for values in large arguments, though it lists none', async () => {
    const large = Array.from({ length: 45 }, (_, i) => [`${'x'.repeat(20_000)} ${i}`] as [string])
    const enqueued = await fine.enqueueMany(large)
    const ask = await serve()
    const found = (await ask('tasks?text=xx 44')).body.tasks
    expect(found).toMatchObject([{ id: enqueued[44]?.id, excerpt: '…' }])
    expect((await ask('tasks?text=xxx&limit=200')).body.tasks).toHaveLength(45)
  })
})
