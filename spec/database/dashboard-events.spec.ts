import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, ResultNotFoundError, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import type { Browser } from '../../lib/browser'
import { DatabaseUnreachableError, TaskBackend, type TaskResult } from '../../index'
import { describeEachDatabase } from '../support/databases'
import { closeServed, served, Tab } from '../support/dashboard'
import { catchLog, type Line } from '../support/tasks'

const fine = task('events.fine', (value: number) => value)
const login = task('events.login', (user: { password: string }) => user.password.length)

let lines: Line[] = []
beforeEach(() => (lines = catchLog()))
afterEach(closeServed)

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  afterEach(() => dataSource.getRepository(DBTaskResult).clear())

  it('tells what is there, and then what has changed and nothing else', async () => {
    const { api } = await served()
    const tab = await Tab.open(api, 'overview', 'tasks?limit=1')
    expect(tab.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(tab.headers.get('x-accel-buffering')).toBe('no')
    await until(() => tab.events.length === 2)
    expect(tab.of('tasks?limit=1')[0]).toMatchObject({
      event: 'value',
      data: { value: { tasks: [] } },
    })

    await pause(2_500)
    expect(tab.events).toHaveLength(2)

    const { id } = await fine.enqueue(1)
    await until(() => tab.of('tasks?limit=1').length === 2 && tab.of('overview').length >= 2)
    expect(tab.of('tasks?limit=1')[1]?.data.value.tasks).toMatchObject([{ id }])
    tab.leave()
  })

  it('tells each who asks what they may see', async () => {
    const { id } = await login.enqueue({ password: 'hunter22' })
    const { api } = await served({ authorize: () => ['view'] })
    const tab = await Tab.open(api, `tasks/${id}`)
    await until(() => tab.events.length === 1)
    expect(tab.events[0]?.data.value).toMatchObject({ id, args: '[hidden]' })
    tab.leave()
  })

  it.each([
    ['nothing', ' ', 400, '1 to 5'],
    [
      'six paths',
      'tasks?limit=1 tasks?limit=2 tasks?limit=3 tasks workers overview',
      400,
      '6 paths',
    ],
    ['an unknown parameter', 'tasks?limti=1', 400, 'limti'],
    ['what one may not see', 'tasks?text=x', 403, 'values'],
    ['no id', 'tasks/1', 400, 'no id'],
    ['itself', 'events?show=overview', 404, 'Not found'],
    ['another host', '//evil.example/overview', 404, 'Not found'],
    ['a long path', `tasks?task=${'x'.repeat(9_000)}`, 400, 'at most 8000'],
  ])('refuses to show %s, as a GET would', async (_what, show, status, said) => {
    const { api } = await served({ authorize: () => ['view'] })
    const answer = await fetch(`${api}events?${new URLSearchParams({ show }).toString()}`)
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(said)])
  })

  it('says that a task is gone, and ends when the page is closed', async () => {
    const { id } = await fine.enqueue(1)
    const { api, page } = await served()
    const tab = await Tab.open(api, `tasks/${id}`)
    await until(() => tab.events.length === 1)
    await dataSource.getRepository(DBTaskResult).delete({ id })
    await until(() => tab.events.length === 2)
    expect(tab.events[1]).toMatchObject({
      event: 'problem',
      data: { path: `tasks/${id}`, message: expect.stringContaining(id), code: 'RESULT_NOT_FOUND' },
    })
    await page.close()
    await until(() => tab.isOver)
    expect((await fetch(`${api}overview`)).status).toBe(503)
  })
})

/** A backend whose database can be taken away. */
class Fickle extends TaskBackend {
  static fault: Error | undefined
  static opened = 0
  static looks = 0

  async enqueue(): Promise<TaskResult<unknown>> {
    throw new Error('not here')
  }

  override async openBrowser(): Promise<Browser> {
    Fickle.opened++
    const answer = async <T>(value: T): Promise<T> => {
      if (Fickle.fault) throw Fickle.fault
      return value
    }
    return {
      tasks: () => (Fickle.looks++, answer({ tasks: [], next: null, searchedTo: null })),
      result: (id) => Promise.reject(new ResultNotFoundError(id)),
      newestSlot: () => answer(null),
      now: () => answer(new Date()),
      queues: () => answer([]),
      workers: () => answer(null),
      history: () => answer([]),
      flow: () => answer(null),
      remove: () => answer([]),
      prioritise: () => answer([]),
      close: () => answer(undefined),
    }
  }
}

it('says that the database is away, and what is there once it is back', async () => {
  configureTasks({ default: { BACKEND: Fickle } })
  const { api } = await served()
  const tab = await Tab.open(api, 'tasks', 'overview')
  await until(() => tab.events.length === 2)

  Fickle.fault = new DatabaseUnreachableError('The database is away.', 'Start it.')
  await until(() => tab.of('tasks').length === 2)
  await pause(2_500)
  expect(tab.of('tasks')).toHaveLength(2)
  expect(tab.of('tasks')[1]).toEqual({
    event: 'problem',
    data: { path: 'tasks', message: 'The database is away.', hint: 'Start it.', code: 'DATABASE' },
  })
  expect(tab.of('overview').at(-1)?.data.value.backends).toMatchObject([
    { alias: 'default', queues: null, problem: { message: 'The database is away.' } },
  ])

  Fickle.fault = new Error("syntax error near 'hunter22'")
  await until(() => tab.of('tasks').length === 3)
  expect(JSON.stringify(tab.events)).not.toContain('hunter22')

  Fickle.fault = undefined
  await until(() => tab.of('tasks').at(-1)?.event === 'value')
  expect(Fickle.opened).toBe(1)
  expect(lines.filter(([level]) => level === 'error')).toHaveLength(1)
  tab.leave()
})

it('looks once a second for ten tabs, and not at all when they have gone', async () => {
  configureTasks({ default: { BACKEND: Fickle } })
  const { api } = await served()
  const tabs = await Promise.all(Array.from({ length: 10 }, () => Tab.open(api, 'tasks')))
  await until(() => tabs.every(({ events }) => events.length === 1))
  const [before, startedAt] = [Fickle.looks, performance.now()]

  await pause(3_500)

  const seconds = (performance.now() - startedAt) / 1_000
  expect(Fickle.looks - before).toBeGreaterThan(0)
  expect(Fickle.looks - before).toBeLessThanOrEqual(Math.ceil(seconds))
  for (const tab of tabs) tab.leave()
  await pause(1_500)
  const after = Fickle.looks
  await pause(2_500)
  expect(Fickle.looks).toBe(after)

  const again = await Tab.open(api, 'tasks')
  await until(() => again.events.length === 1)
  again.leave()
})

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms))
}

async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + 15_000
  while (!isSo()) {
    if (Date.now() > end) throw new Error('it has not come')
    await pause(20)
  }
}
