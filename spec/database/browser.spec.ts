import type { DataSource } from 'typeorm'
import { DBTaskResult, DBTaskWorker, taskEntities } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { dashed, PARKED_UNTIL } from '#formats'
import type { Browser, TaskQuery } from '../../lib/browser'
import { describeEachDatabase } from '../support/databases'
import { djangoRow, djangosTable, insertAsDjango } from '../support/django-table'
import { addTimed } from '../support/timed-rows'

const HOUR = 3_600_000
const ago = (ms: number) => new Date(Date.now() - ms)
const failed = (error: string, traceback = `${error}: no\n`): Partial<DBTaskResult> => ({
  status: 'FAILED',
  startedAt: ago(60_000),
  finishedAt: ago(59_000),
  exceptionClassPath: error,
  traceback,
})
const called = (...args: unknown[]): Partial<DBTaskResult> => ({ argsKwargs: { args, kwargs: {} } })

describeEachDatabase((database) => {
  const backendOn = (dataSource: DataSource): DatabaseBackend =>
    new DatabaseBackend('default', { queues: ['default'], options: { dataSource } })

  describe('our own table', () => {
    let dataSource: DataSource
    let browser: Browser

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [...taskEntities], synchronize: true })
      browser = await backendOn(dataSource).openBrowser()
    })
    afterEach(async () => {
      await dataSource.getRepository(DBTaskResult).clear()
      await dataSource.getRepository(DBTaskWorker).clear()
    })
    afterAll(() => browser.close())

    const add = (...rows: Partial<DBTaskResult>[]) => addTimed(dataSource, rows)
    const found = async (query: Partial<TaskQuery>): Promise<string[]> =>
      (await browser.tasks({ limit: 50, within: 1_000, ...query })).tasks.map(({ id }) => id)
    const only = async (query: Partial<TaskQuery>, id: string | undefined): Promise<void> =>
      expect(await found(query)).toEqual([id])

    it('gives the newest first, whole, page by page', async () => {
      const ids = (await add({ options: { maxAge: 5 } }, {}, called('a'), {}, {})).toReversed()

      const first = await browser.tasks({ limit: 2, within: 1_000 })
      const second = await browser.tasks({ limit: 2, within: 1_000, before: first.next! })
      const third = await browser.tasks({ limit: 2, within: 1_000, before: second.next! })

      expect([first, second, third].flatMap(({ tasks }) => tasks.map(({ id }) => id))).toEqual(ids)
      expect(third).toMatchObject({ next: null, searchedTo: null })
      const same = await backendOn(dataSource).getResult(ids[0]!)
      expect(first.tasks[0]!.toJSON()).toEqual(same.toJSON())
      expect(first.tasks[0]!.dbResult).toEqual(same.dbResult)
    })

    it('tells that a full page is the last one', async () => {
      await add({}, {})
      expect(await browser.tasks({ limit: 2, within: 1_000 })).toMatchObject({ next: null })
    })

    it('finds by state', async () => {
      const [due, past, later, waiting, running, bad, done] = await add(
        {},
        { runAfter: ago(HOUR) },
        { runAfter: ago(-HOUR) },
        { runAfter: PARKED_UNTIL },
        { status: 'RUNNING' },
        failed('E'),
        { status: 'SUCCESSFUL' },
      )

      expect(await found({ state: 'DUE' })).toEqual([past, due])
      await only({ state: 'LATER' }, later)
      await only({ state: 'WAITING' }, waiting)
      expect(await found({ state: 'READY' })).toEqual([waiting, later, past, due])
      await only({ state: 'RUNNING' }, running)
      await only({ state: 'FAILED' }, bad)
      await only({ state: 'SUCCESSFUL' }, done)
    })

    it('finds by queue, name and error, each compared exactly, and only of its backend', async () => {
      const [mail] = await add(
        { queueName: 'mail' },
        { queueName: 'Mail' },
        { queueName: 'mäil' },
        { queueName: 'mail', backendName: 'other' },
      )
      const [named] = await add({ taskPath: 'a.b' }, { taskPath: 'a.B' }, { taskPath: 'a%' })
      const [wrong] = await add(failed('app.Wrong'), failed('app.wrong'), {
        exceptionClassPath: 'app.Wrong',
      })

      await only({ queue: 'mail' }, mail)
      await only({ taskName: 'a.b' }, named)
      await only({ error: 'app.Wrong' }, wrong)
      expect(await found({ queue: 'ma%' })).toEqual([])
      expect(await found({ queue: "x' OR '1' = '1" })).toEqual([])
      expect(await found({ queue: String.raw`x\' OR 1=1 -- ` })).toEqual([])
      expect(await found({ queue: 'nul\0' })).toEqual([])
    })

    it('finds by the time of the enqueue', async () => {
      const [old, mid, young] = await add(
        { enqueuedAt: ago(30 * HOUR) },
        { enqueuedAt: ago(20 * HOUR) },
        { enqueuedAt: ago(10 * HOUR) },
      )

      expect(await found({ from: ago(25 * HOUR) })).toEqual([young, mid])
      expect(await found({ to: ago(15 * HOUR) })).toEqual([mid, old])
      await only({ from: ago(25 * HOUR), to: ago(15 * HOUR) }, mid)
      // Rows of other times are not looked at, so that few are enough.
      await only({ to: ago(25 * HOUR), within: 1 }, old)
    })

    it('finds by a worker that has run it', async () => {
      const [one, two] = await add(
        { workerIds: ['w_1', 'w-2'] },
        { workerIds: ['w-2'] },
        { workerIds: ['wx1'] },
        { workerIds: ['w%2', 'W-2'] },
      )

      await only({ workerId: 'w_1' }, one)
      expect(await found({ workerId: 'w-2' })).toEqual([two, one])
      expect(await found({ workerId: 'w' })).toEqual([])
    })

    it.each([
      ['0', 'plain'],
      ['0', '100%'],
      ['0', 'a_b'],
      ['0', 'wow!'],
      ['0', 'say "hello" \\ there'],
      ['0', "it's"],
      ['0', '日本 Ünïcödé 😀'],
      ['0', 'line\nfeed\ttab'],
    ])('finds by the argument %s that is the text %j', async (path, value) => {
      const [wanted] = await add(
        called(value),
        called(`${value} `),
        called('other', value),
        called([value]),
        called('1000'),
        called('axb'),
      )
      await only({ args: [{ path, value }] }, wanted)
    })

    it('finds by what stands deep in arguments, and by values that are no texts', async () => {
      const [deep, number, float, no, nothing, list, named] = await add(
        called({ user: { id: 42, tags: ['x', 'y'] } }),
        called(42),
        called(1e21),
        called(false),
        called(null),
        called([1, { a: 2 }]),
        { argsKwargs: { args: [], kwargs: { user: { id: 'u-1' } } } },
      )

      const arg = (path: string, value: string) => found({ args: [{ path, value }] })
      expect(await arg('0.user.id', '42')).toEqual([deep])
      expect(await arg('0.user.tags.1', 'y')).toEqual([deep])
      expect(await arg('0', '42')).toEqual([number])
      expect(await arg('0', '1e+21')).toEqual([float])
      expect(await arg('0', 'false')).toEqual([no])
      expect(await arg('0', 'null')).toEqual([nothing])
      expect(await arg('0', '[1,{"a":2}]')).toEqual([list])
      expect(await arg('user.id', 'u-1')).toEqual([named])
      expect(await arg('0.constructor.name', 'Object')).toEqual([])
      const both = [
        { path: '0.user.id', value: '42' },
        { path: '0.user.tags.0', value: 'x' },
      ]
      await only({ args: both }, deep)
    })

    it('finds arguments that another program wrote in ASCII alone', async () => {
      const [id] = await add(called('x'))
      const text = String.raw`{"args": ["caf\u00e9 \ud83d\ude00"], "kwargs": {}}`
      const literal =
        database.name === 'sqlite' || database.name === 'postgres'
          ? text
          : text.replaceAll('\\', '\\\\')
      await dataSource.query(`UPDATE db_task_result SET args_kwargs = '${literal}'`)

      await only({ args: [{ path: '0', value: 'café 😀' }] }, id)
      await only({ text: 'CAFÉ' }, id)
    })

    it('finds a text in arguments, name or error, in any case of letters', async () => {
      const [call, name, error, trace] = await add(
        called('Ärger 50%'),
        { taskPath: 'mail.sendÄrger50%' },
        failed('app.Ärger50%Error', ''),
        failed('app.Error', 'somewhere: ÄRGER 50%\n'),
        called('Ärger 50x'),
        { ...called('x'), returnValue: 'Ärger 50%' },
      )

      expect(await found({ text: 'ärger 50%' })).toEqual([trace, call])
      expect(await found({ text: 'ÄRGER50%' })).toEqual([error, name])
      expect(await found({ text: '' })).toHaveLength(6)
    })

    it('looks no further than it may, and says how far it came', async () => {
      const enqueuedAt = ago(HOUR)
      const [old] = await add({ ...failed('E'), enqueuedAt: ago(2 * HOUR) })
      await add(...Array.from({ length: 20 }, () => ({ enqueuedAt })))

      const first = await browser.tasks({ limit: 5, within: 15, state: 'FAILED' })
      expect(first.tasks).toEqual([])
      expect(first.next).not.toBeNull()
      expect(Math.abs(first.searchedTo!.getTime() - enqueuedAt.getTime())).toBeLessThan(2)
      const second = await browser.tasks({
        limit: 5,
        within: 15,
        state: 'FAILED',
        before: first.next!,
      })
      expect(second.tasks.map(({ id }) => id)).toEqual([old])
      expect(second).toMatchObject({ next: null, searchedTo: null })
    })

    it('finds in pages without a gap, through many parts', async () => {
      const rows = Array.from({ length: 700 }, (_, i) => called(i % 7 === 0 ? 'seven' : 'other'))
      const sevens = (await add(...rows)).filter((_, i) => i % 7 === 0).toReversed()
      const pages: string[] = []
      let before: string | undefined
      for (let isMore = true; isMore;) {
        const args = [{ path: '0', value: 'seven' }]
        const page = await browser.tasks({ limit: 9, within: 100_000, args, before })
        pages.push(...page.tasks.map(({ id }) => id))
        isMore = page.next !== null
        before = page.next ?? undefined
      }
      expect(pages).toEqual(sevens)
    })

    it('refuses a cursor that is no id', async () => {
      await expect(browser.tasks({ limit: 1, within: 1, before: 'x' })).rejects.toThrow('"x"')
    })

    it('counts what is not finished in each queue, and tells how long one has been due', async () => {
      const mail = { queueName: 'mail' }
      await add(
        { ...mail, enqueuedAt: ago(HOUR) },
        { ...mail, enqueuedAt: ago(3 * HOUR), runAfter: ago(2 * HOUR), priority: 5 },
        { ...mail, runAfter: ago(-HOUR) },
        { ...mail, runAfter: PARKED_UNTIL },
        { ...mail, status: 'RUNNING' },
        { ...mail, status: 'RUNNING', enqueuedAt: ago(99 * HOUR) },
        { ...mail, status: 'SUCCESSFUL' },
        { ...failed('E'), queueName: 'old' },
        { ...mail, backendName: 'other' },
        { queueName: 'Mail' },
      )

      const queues = await browser.queues()

      expect(queues.map(({ name }) => name)).toEqual(['Mail', 'default', 'mail'])
      const none = { later: 0, waiting: 0, running: 0, paused: null, isServed: false }
      expect(queues[1]).toEqual({ name: 'default', due: 0, oldestDueMs: null, ...none })
      expect(queues[2]).toMatchObject({ due: 2, later: 1, waiting: 1, running: 2 })
      expect(queues[2]!.oldestDueMs! / HOUR).toBeCloseTo(2, 1)
    })

    it('tells which workers there are, and which queues they serve', async () => {
      const worker = { backend: 'default', host: 'h', pid: 1, version: '1', concurrency: 5 }
      const load = { running: 2, leaseMs: 30_000, eventLoopDelayMs: 3, rssMib: 80 }
      const at = (seenAt: Date) => ({ startedAt: ago(2 * HOUR), seenAt })
      const record = { ...worker, ...load }
      await dataSource.getRepository(DBTaskWorker).insert([
        { ...record, ...at(ago(1_000)), id: 'a', queues: ['*', '-slow'] },
        { ...record, ...at(ago(HOUR)), id: 'b', queues: ['slow'] },
        { ...record, ...at(ago(1_000)), id: 'c', queues: ['own'], backend: 'default' },
        { ...record, ...at(ago(1_000)), id: 'd', queues: ['slow'], backend: 'other' },
      ])
      await add({ queueName: 'slow' })

      const workers = await browser.workers()

      expect(workers!.map(({ id, isGone }) => [id, isGone])).toEqual([
        ['a', false],
        ['b', true],
        ['c', false],
      ])
      expect(workers![0]).toMatchObject({ host: 'h', pid: 1, running: 2, queues: ['*', '-slow'] })
      expect(workers![0]).not.toHaveProperty('leaseMs')
      expect((await browser.queues()).map(({ name, isServed }) => [name, isServed])).toEqual([
        ['default', true],
        ['own', true],
        ['slow', false],
      ])
    })
  })

  it('has no records of workers where the table is not listed', async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    const browser = await backendOn(dataSource).openBrowser()

    expect(await browser.workers()).toBeNull()
    expect(await browser.queues()).toMatchObject([{ name: 'default', isServed: null }])
    await browser.close()
  })

  it('browses a table that Django made by the time of the enqueue, and has no history of it', async () => {
    const dataSource = await djangosTable(database, { ordering: true })
    const times = ['01.000000', '02.000001', '02.000002', '02.000002', '03.500000']
    const rows = times.map((time) =>
      djangoRow(database.name, { enqueued_at: `2026-11-20 00:00:${time}` }),
    )
    await insertAsDjango(dataSource, database.name, ...rows.toReversed())
    const newestFirst = rows
      .toSorted((a, b) => a.enqueued_at.localeCompare(b.enqueued_at) || a.id.localeCompare(b.id))
      .toReversed()
      .map(({ id }) => dashed(id))
    const browser = await backendOn(dataSource).openBrowser()

    const first = await browser.tasks({ limit: 2, within: 100 })
    const second = await browser.tasks({ limit: 9, within: 100, before: first.next! })
    expect([...first.tasks, ...second.tasks].map(({ id }) => id)).toEqual(newestFirst)
    const [from, to] = [new Date('2026-11-20T00:00:02Z'), new Date('2026-11-20T00:00:03Z')]
    const between = await browser.tasks({ limit: 9, within: 100, from, to })
    expect(between.tasks.map(({ id }) => id)).toEqual(newestFirst.slice(1, 4))
    expect(await browser.queues()).toHaveLength(1)
    await expect(browser.history({ from, to, steps: 2 })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      hint: expect.stringContaining('idFunction') as string,
    })
    await browser.close()
  })
})
