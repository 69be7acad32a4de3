import { setTimeout as sleep } from 'node:timers/promises'
import { configureTasks, task, type TaskResult } from 'typeorm-tasks'
import { ImmediateBackend } from '#immediate'
import type { Dashboard, Granted } from '../../../dashboard'
import { ListBrowser } from '../../../lib/browsing/list-browser'
import type { ListQuery } from '#lib/backend'
import { backends } from '../../../lib/backend-registry'
import type { Browser, Pause, PauseOptions, WorkerState } from '../../../lib/browser'
import { change, closeServed, made, serve } from '../../support/dashboard'
import { catchLog } from '../../support/tasks'

const fine = task('browsers.fine', (value: number) => value)
const other = task('browsers.other', (value: number) => value)

const ID = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'

const pause: Pause = {
  queue: 'default',
  at: new Date('2030-01-01T00:00:00Z'),
  until: null,
  reason: 'moving',
}

/** A backend with a browser of its own, which sees one worker, one flow and a paused queue, and changes the first task alone. */
class Browsed extends ImmediateBackend {
  static opened = 0
  static closed = 0
  static fault: Error | undefined
  static paused: unknown[] = []

  override async openBrowser(): Promise<Browser> {
    if (Browsed.fault) throw Browsed.fault
    Browsed.opened++
    const browser = new ListBrowser(this)
    const [queues, tasks] = [browser.queues.bind(browser), browser.tasks.bind(browser)]
    browser.queues = async () => (await queues()).map((queue) => ({ ...queue, paused: pause }))
    // What an immediate backend has run is what a worker runs here.
    browser.tasks = (query) =>
      tasks(query.state === 'RUNNING' ? { ...query, state: 'SUCCESSFUL' } : query)
    browser.workers = async () => [await this.#worker()]
    browser.flow = async () => {
      const [first] = (await tasks({ limit: 1, within: 10 })).tasks
      return {
        before: first ? [first] : [],
        beforeCount: 300,
        beside: [],
        besideCount: 0,
        after: [],
      }
    }
    browser.remove = async (ids) => ids.slice(0, 1)
    browser.prioritise = async (ids) => ids.slice(0, 1)
    browser.close = async () => void Browsed.closed++
    return browser
  }

  override async now(): Promise<Date> {
    return new Date('2030-01-01T00:00:00Z')
  }

  override async pauseQueue(queue: string, options: PauseOptions = {}): Promise<Pause> {
    Browsed.paused.push([queue, options])
    return pause
  }

  override async resumeQueue(queue: string): Promise<boolean> {
    Browsed.paused.push([queue])
    return true
  }

  async #worker(): Promise<WorkerState> {
    const [task] = await this.list({ limit: 1 })
    return {
      id: task?.workerIds.at(-1) ?? 'none',
      host: 'here',
      pid: 1,
      version: '0.1.0',
      queues: ['*'],
      concurrency: 10,
      running: 1,
      startedAt: new Date('2030-01-01T00:00:00Z'),
      seenMsAgo: 5,
      isGone: false,
      eventLoopDelayMs: 1,
      rssMib: 80,
    }
  }
}

beforeEach(() => {
  catchLog()
  Object.assign(Browsed, { opened: 0, closed: 0, fault: undefined, paused: [] })
  configureTasks({ default: { BACKEND: Browsed, QUEUES: ['default'] } })
})
afterEach(closeServed)

it('says of each task why it was not deleted or prioritised', async () => {
  const [one, two] = [await fine.enqueue(1), await fine.enqueue(2)]
  const ask = await serve()

  for (const [what, more] of [
    ['delete', {}],
    ['prioritise', { priority: 5 }],
  ] as const) {
    const { body } = await ask(`tasks/${what}`, change({ ids: [one.id, two.id, ID], ...more }))
    expect(body.changed).toEqual([one.id])
    expect(body.refused).toEqual([
      { id: ID, message: expect.stringContaining(ID) },
      { id: two.id, message: expect.stringContaining('is SUCCESSFUL. ') },
    ])
  }
})

it('shows workers with what they run, a flow, the latest of a name, and a pause', async () => {
  await other.enqueue(0)
  const { id } = await fine.enqueue(1)
  const ask = await serve({ authorize: () => 'all' })

  const { workers } = (await ask('workers')).body
  expect(workers).toMatchObject([{ host: 'here', startedAt: '2030-01-01T00:00:00.000Z' }])
  expect(workers[0].tasks.map((each: { id: string }) => each.id)).toContain(id)
  const one = (await ask(`tasks/${id}`)).body
  expect(one.flow).toMatchObject({ before: [{ id, error: null }], beforeCount: 300, after: [] })
  expect(one.latest.map(({ task: name }: { task: string }) => name)).toEqual(['browsers.fine'])
  expect((await ask('overview')).body.backends[0].queues).toMatchObject([
    { name: 'default', paused: { at: '2030-01-01T00:00:00.000Z', until: null, reason: 'moving' } },
  ])
})

it('compares no values of tasks that are hidden', async () => {
  await other.enqueue(5)
  const { id } = await fine.enqueue(5)
  await other.enqueue(5)
  const ask = await serve({ redact: { show: ({ taskName }) => taskName === 'browsers.fine' } })
  for (const filter of ['text=5', 'args.0=5']) {
    const { tasks } = (await ask(`tasks?${filter}`)).body
    expect(tasks.map((each: { id: string }) => each.id)).toEqual([id])
  }
  expect((await ask('tasks?text=6&limit=1')).body).toMatchObject({ tasks: [], next: null })
  expect((await ask('tasks')).body.tasks).toHaveLength(3)
})

it('opens a browser once, tries again if it could not, and gives it back', async () => {
  Browsed.fault = new Error('too many connections for hunter22')
  const ask = await serve()
  const failed = await ask('tasks')
  expect([failed.status, JSON.stringify(failed.body)]).toEqual([
    503,
    expect.not.stringContaining('hunter22'),
  ])
  Browsed.fault = undefined
  await Promise.all([ask('tasks'), ask('overview'), ask('history')])
  await ask('workers')
  expect([Browsed.opened, Browsed.closed]).toEqual([1, 0])

  await closeServed()

  expect(Browsed.closed).toBe(1)
})

it('opens none for a request that is being answered when the page is closed', async () => {
  const before = Browsed.opened
  const page: Dashboard = made({
    authorize: async (): Promise<Granted> => {
      await page.close()
      return 'all'
    },
  })
  const answer = await page.fetch(new Request('http://localhost/api/1/tasks'))
  expect([answer.status, await answer.json()]).toEqual([
    503,
    { error: { message: 'The dashboard is closed.' } },
  ])
  expect(Browsed.opened).toBe(before)
})

it('pauses a queue for a reason and a time, and resumes it', async () => {
  const ask = await serve()
  const paused = await ask('queues/a%2Fb/pause', change({ reason: 'moving', forMs: 60_000 }))
  expect([paused.status, paused.body]).toEqual([200, {}])
  await ask('queues/default/resume', change({}))
  expect(Browsed.paused).toEqual([
    ['a/b', { reason: 'moving', until: new Date('2030-01-01T00:01:00Z') }],
    ['default'],
  ])
})

it('is closed through what tells no addresses, until it is said who may see it', async () => {
  const request = (init?: RequestInit) => new Request('http://localhost/x/api/1/overview', init)
  expect((await made().fetch(request())).status).toBe(403)
  const open = made({ authorize: () => 'all' })
  expect((await open.fetch(request())).status).toBe(200)
  expect(await (await open.fetch(request({ method: 'HEAD' }))).text()).toBe('')
})

it('a search that takes long ends, tells how far it came, and goes on from there', async () => {
  class Slow extends ImmediateBackend {
    override async list(query: ListQuery): Promise<TaskResult<unknown>[]> {
      await sleep(150)
      return super.list(query)
    }
  }
  configureTasks({ default: { BACKEND: Slow } })
  const [oldest] = await fine.enqueueMany(Array.from({ length: 450 }, (_, i) => [i]))
  const browser = new ListBrowser(backends.get('default'))
  const search = { limit: 5, within: 10_000, text: 'nowhere' }

  const first = await browser.tasks(search)
  expect(first).toMatchObject({ tasks: [], searchedTo: expect.any(Date) as Date })
  expect([null, oldest?.id]).not.toContain(first.next)
  expect(await browser.tasks({ ...search, before: first.next ?? '' })).toEqual({
    tasks: [],
    next: null,
    searchedTo: null,
  })
})
