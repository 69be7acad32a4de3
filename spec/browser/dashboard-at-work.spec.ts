import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DBTaskWorker } from '#entities'
import { type CliApp, cliApp, type Running, until } from '../support/cli-app'
import { describeEachDatabase } from '../support/databases'
import { describeInBrowser, type SpecBrowser } from './kit/chromium'
import { DashboardPage, linkOf } from './kit/dashboard-page'

jest.setTimeout(120_000)

/** What would run if any text became a part of the page. */
const EVIL = '"><img src=x onerror="pwned=1"><script>pwned=1</script>'

const TASKS = `
  const { existsSync } = require('node:fs')
  const { join } = require('node:path')
  const { setTimeout: sleep } = require('node:timers/promises')
  const { schedule, task } = require('typeorm-tasks')
  const EVIL = ${JSON.stringify(EVIL)}
  task('work.slow', async ({ reportProgress, signal }) => {
    for (let part = 1; part <= 600; part++) {
      await sleep(200, undefined, { signal })
      reportProgress(part, 600, 'part ' + part)
    }
  }, { takesContext: true })
  task('work.flaky', async () => {
    if (!existsSync(join(__dirname, 'repaired'))) throw new TypeError('broken')
  }, { queueName: 'flaky' })
  task('work.mail', async () => 'sent', { queueName: 'mail' })
  task('work.plain', async () => {})
  task('work.evil', async ({ reportProgress }) => {
    reportProgress(1, 2, EVIL)
    while (!existsSync(join(__dirname, 'seen'))) await sleep(50)
    return { [EVIL]: EVIL }
  }, { takesContext: true })
  task('work.throws', async () => {
    throw Object.assign(new Error(EVIL), { name: EVIL })
  })
  schedule('work.nightly', task('work.beat', async () => {}), { cron: '0 3 * * *' })`

const WORKER = ['--no-startup-delay', '--interval', '0.1', '--queue-name', '*', '--no-schedules']

describeEachDatabase(
  ({ fresh }) =>
    describeInBrowser('the dashboard beside a worker', (browser) => {
      specs(browser, async () => {
        const database = await fresh()
        return cliApp({ allTables: true, database, files: { 'tasks.js': TASKS } })
      })
    }),
  { only: ['sqlite', 'postgres'] },
)

function specs(browser: SpecBrowser, makeApp: () => Promise<CliApp>): void {
  let app: CliApp
  let worker: Running
  let link: string

  beforeAll(async () => {
    app = await makeApp()
    worker = app.start('db_worker', ...WORKER)
    link = await linkOf(app)
  })

  const open = (place: string, width = 1_280): Promise<DashboardPage> =>
    DashboardPage.open(browser, link, place, { width })

  async function has(id: string, status: string): Promise<void> {
    await until(
      async () => (await app.row(id)).status === status,
      () => `${status}; the worker says:\n${worker.log}`,
      60_000,
    )
  }

  it('shows a list, and what a filter finds in it', async () => {
    const [plain = ''] = await app.enqueue('work.plain')
    const [mail = ''] = await app.enqueue('work.mail', [[]], { queueName: 'mail' })
    await has(plain, 'SUCCESSFUL')
    await has(mail, 'SUCCESSFUL')
    const { tab, complaints, go } = await open('tasks')
    await tab.locator('table.tasks').getByText('work.plain').waitFor()
    await go('tasks?queue=mail&state=SUCCESSFUL')
    await tab.locator('table.tasks').getByText('work.mail').waitFor()
    await tab.getByText('work.plain').waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
  })

  it('shows how far a task is as it runs, and cancels it', async () => {
    const [id = ''] = await app.enqueue('work.slow')
    const { tab, complaints } = await open(`tasks/${id}`)
    const bar = tab.locator('.far progress')
    const values = new Set<string | null>()
    await until(
      async () => values.add(await bar.getAttribute('value')).size >= 3,
      () => `a bar that moves, beyond ${[...values].join()}`,
      60_000,
    )
    await tab.locator('article').getByRole('button', { name: 'Cancel' }).click()
    expect((await app.row(id)).status).toBe('RUNNING')
    await tab.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await tab.locator('h1 .state.FAILED').waitFor()
    expect((await app.row(id)).exceptionClassPath).toContain('TaskCancelled')
    expect(complaints).toEqual([])
  })

  it('retries all that failed under a filter, after it has said how many they are', async () => {
    const ids = await app.enqueue('work.flaky', [[], [], []], { queueName: 'flaky' })
    const [plain = ''] = await app.enqueue('work.throws')
    for (const id of [...ids, plain]) await has(id, 'FAILED')
    app.write('repaired', '')
    const { tab, complaints } = await open('tasks?state=FAILED&queue=flaky')
    await tab.getByRole('button', { name: 'All under this filter' }).click()
    await tab.getByText('3 tasks are like that now.').waitFor()
    for (const id of ids) expect((await app.row(id)).status).toBe('FAILED')
    await tab.getByRole('dialog').getByRole('button', { name: 'Retry' }).click()
    await tab.getByRole('status').getByText('3 retried').waitFor()
    await tab.getByRole('dialog').waitFor({ state: 'detached' })
    for (const id of ids) await has(id, 'SUCCESSFUL')
    expect([(await app.row(plain)).status, complaints]).toEqual(['FAILED', []])
  })

  it('pauses a queue, which the worker then leaves alone, and resumes it', async () => {
    const { tab, complaints } = await open('queues')
    const row = tab.locator('table.queues tr').filter({ hasText: 'mail' })
    const [first = ''] = await app.enqueue('work.mail', [[]], { queueName: 'mail' })
    await has(first, 'SUCCESSFUL')
    await app.enqueue('work.mail', [[]], {
      queueName: 'mail',
      runAfter: new Date(Date.now() + 3_600_000),
    })
    await row.getByRole('button', { name: 'Pause' }).click()
    await tab.getByLabel('Reason').fill(EVIL)
    await tab.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await row.locator('.badge').getByText('paused').waitFor()
    // Workers hear of it within two seconds.
    await sleep(4_000)

    const [waits = ''] = await app.enqueue('work.mail', [[]], { queueName: 'mail' })
    const [passes = ''] = await app.enqueue('work.plain')
    await has(passes, 'SUCCESSFUL')
    expect((await app.row(waits)).status).toBe('READY')
    await row.getByRole('button', { name: 'Resume' }).click()
    await row.locator('.badge').getByText('paused').waitFor({ state: 'detached' })
    await has(waits, 'SUCCESSFUL')
    expect(complaints).toEqual([])
  })

  it('shows results, errors, and hosts of workers as text', async () => {
    const [id = ''] = await app.enqueue('work.evil')
    const [thrown = ''] = await app.enqueue('work.throws')
    await has(id, 'RUNNING')
    await has(thrown, 'FAILED')
    await app.dataSource.getRepository(DBTaskWorker).insert(evilWorker())
    const { tab, complaints, go } = await open(`tasks/${id}`)
    await tab.locator('.far small').getByText('<img src=x').waitFor()
    app.write('seen', '')
    await tab.locator('h1 .state.SUCCESSFUL').waitFor()
    await tab.locator('article pre').getByText('<img src=x').first().waitFor()
    for (const [place, text] of [
      [`tasks/${thrown}`, '<img src=x'],
      ['workers', '<img src=x'],
      ['queues', 'mail'],
      ['tasks', 'work.evil'],
      ['overview', 'mail'],
    ] as const) {
      await go(place)
      await tab.locator('main').getByText(text).first().waitFor()
    }
    await sleep(500)
    expect([await tab.evaluate('globalThis.pwned'), complaints]).toEqual([undefined, []])
  })

  it('is used by keys alone', async () => {
    const queueName = 'keys'
    const runAfter = new Date(Date.now() + 3_600_000)
    const [older = '', newer = ''] = await app.enqueue('work.plain', [[1], [2]], {
      queueName,
      runAfter,
    })
    const { tab, complaints } = await open('overview')
    const press = async (...keys: string[]): Promise<void> => {
      for (const key of keys) await tab.keyboard.press(key)
    }
    await press('?')
    await tab.getByRole('dialog').getByText('to the filter').waitFor()
    await press('Escape')
    await tab.getByRole('dialog').waitFor({ state: 'detached' })
    await press('g', 't')
    await tab.locator('table.tasks').waitFor()
    await press('/')
    await tab.keyboard.type(`queue:${queueName}`)
    await press('Enter')
    await tab.locator('.chip').waitFor()
    await tab.getByText('work.mail').waitFor({ state: 'detached' })
    await tab.locator('table.tasks tbody tr').nth(1).waitFor()
    expect(await tab.locator('table.tasks tbody tr').count()).toBe(2)
    await press('Escape', 'j', 'x')
    await tab.getByText('1 chosen').waitFor()
    await press('Escape')
    await tab.getByText('1 chosen').waitFor({ state: 'detached' })
    await press('j', 'j', 'k', 'Enter')
    await tab.locator('article h1').waitFor()
    expect(tab.url()).toContain(newer)
    expect(older).not.toBe(newer)
    await press('Escape')
    await tab.locator('table.tasks').waitFor()
    expect(complaints).toEqual([])
  })

  it('fits on a phone', async () => {
    const long = 'a-word-that-does-not-break-'.repeat(20)
    const [id = ''] = await app.enqueue('work.mail', [[long, { [long]: long }]], { queueName: 'm' })
    const { tab, complaints, go } = await open('overview', 360)
    for (const [place, part] of [
      ['overview', '.total'],
      ['tasks', 'table.tasks'],
      [`tasks/${id}`, 'article h1'],
      ['queues', 'table.queues'],
      ['workers', 'table.workers'],
      ['schedules', 'main >> text=work.nightly'],
    ] as const) {
      await go(place)
      await tab.locator(part).first().waitFor()
      const width = await tab.evaluate('document.documentElement.scrollWidth')
      expect([place, width]).toEqual([place, 360])
    }
    expect(complaints).toEqual([])
  })
}

function evilWorker() {
  const now = new Date()
  return {
    id: randomUUID(),
    backend: 'default',
    host: EVIL,
    pid: 7,
    version: '<script>pwned=1</script>',
    queues: [EVIL],
    concurrency: 5,
    running: 2,
    eventLoopDelayMs: 250,
    rssMib: 99,
    leaseMs: 30_000,
    startedAt: now,
    seenAt: now,
  }
}
