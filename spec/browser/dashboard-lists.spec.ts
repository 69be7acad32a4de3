import type { Page } from 'playwright-core'
import { DBTaskResult } from '#entities'
import { type CliApp, cliApp } from '../support/cli-app'
import { describeInBrowser } from './kit/chromium'
import { DashboardPage, linkOf } from './kit/dashboard-page'

jest.setTimeout(60_000)

const TASKS = `
  const { schedule, task } = require('typeorm-tasks')
  for (const name of ['shop.check', 'shop.mail', 'shop.import']) task(name, async () => {})
  schedule('shop.nightly', task('shop.beat', async () => {}), { cron: '0 3 * * *' })`

describeInBrowser('lists of the dashboard', (browser) => {
  let app: CliApp
  let link: string

  beforeAll(async () => {
    app = await cliApp({ allTables: true, files: { 'tasks.js': TASKS } })
    link = await linkOf(app)
  })
  beforeEach(() => rows().clear())

  const rows = () => app.dataSource.getRepository(DBTaskResult)
  const open = (place: string, width = 1_280): Promise<DashboardPage> =>
    DashboardPage.open(browser, link, place, { width })
  const bulk = (tab: Page) => tab.getByRole('button', { name: /^All (tasks|under this filter)…$/ })

  async function write(tab: Page, text: string): Promise<void> {
    await tab.keyboard.press('/')
    await tab.getByRole('combobox', { name: 'Filter' }).fill(text)
  }

  async function fail(id: string, traceback: string): Promise<void> {
    await rows().update(id, {
      status: 'FAILED',
      finishedAt: new Date(),
      exceptionClassPath: 'TypeError',
      traceback,
      claims: 1,
    })
  }

  it('offers no change of all tasks while what is written is not applied', async () => {
    await app.enqueue('shop.check', [[1], [2]])
    const { tab, complaints, go } = await open('tasks')
    await bulk(tab).waitFor()
    await write(tab, 'task:shop.check stat:FAILED')
    await tab.getByText('The list does not show what is written above').waitFor()
    expect(await bulk(tab).count()).toBe(0)

    await tab.keyboard.press('Enter')
    await tab.getByRole('alert').getByText('Did you mean state:FAILED?').waitFor()
    await tab.getByText('The list does not show “task:shop.check stat:FAILED”').waitFor()
    expect(await bulk(tab).count()).toBe(0)
    await go('tasks?queue=default')
    await tab.getByRole('alert').waitFor({ state: 'detached' })
    await bulk(tab).waitFor()
    expect(await tab.getByRole('combobox', { name: 'Filter' }).inputValue()).toBe('')

    for (const [text, said] of [
      ['state:FAILD', 'Did you mean state:failed?'],
      ['colour:red', 'Write state:, queue:, task:, worker:, error:, from:, to:, text: and a value'],
      ['from:noon', 'from:2h'],
    ] as const) {
      await write(tab, text)
      await tab.keyboard.press('Enter')
      await tab.getByRole('alert').getByText(said).waitFor()
    }
    await tab.getByRole('button', { name: 'Clear the field' }).click()
    await bulk(tab).waitFor()
    expect(complaints).toEqual([])
  })

  it('forgets what was written in fields that are closed without being applied', async () => {
    const { tab } = await open('tasks')
    await tab.getByText('More filters').click()
    await tab.getByRole('combobox', { name: 'Queue' }).fill('mail')
    await tab.locator('h1').first().dispatchEvent('pointerdown')
    await tab.getByText('More filters').click()
    expect(await tab.getByRole('combobox', { name: 'Queue' }).inputValue()).toBe('')
  })

  it('asks, with their number, before tasks run again and before a schedule runs', async () => {
    await app.enqueue('shop.check', [[1], [2], [3]])
    const { tab, complaints, go } = await open('tasks')
    await bulk(tab).click()
    await tab.getByText('3 tasks are like that now.').waitFor()
    await tab.getByRole('button', { name: 'Run again' }).click()
    await tab.getByText('Run 3 tasks again?').waitFor()
    expect(await rows().count()).toBe(3)
    await tab.getByRole('dialog', { name: 'Run 3' }).getByRole('button', { name: 'Run' }).click()
    await tab.getByRole('status').getByText('3 enqueued again').waitFor()
    await tab.getByRole('dialog').first().waitFor({ state: 'detached' })
    expect(await rows().count()).toBe(6)

    await go('schedules')
    await tab.getByRole('button', { name: 'Run now' }).click()
    expect(await rows().count()).toBe(6)
    await tab.getByRole('dialog').getByRole('button', { name: 'Run now' }).click()
    await tab.getByRole('link', { name: 'See the task' }).click()
    await tab.locator('article h1').getByText('shop.beat').waitFor()
    expect(complaints).toEqual([])
  })

  it('shows the seconds of slots where there are any', async () => {
    app.write(
      'tasks.js',
      `${TASKS}
      schedule('shop.often', task('shop.often', async () => {}), { every: 20_000 })`,
    )
    const { tab } = await DashboardPage.open(browser, await linkOf(app), 'schedules', {})
    app.write('tasks.js', TASKS)
    const slots = (name: string) =>
      tab
        .locator('section.card')
        .filter({ hasText: name })
        .locator('table.slots td')
        .allInnerTexts()
    await tab.getByText('shop.often').first().waitFor()
    const often = await slots('shop.often')
    expect(often.filter((slot) => /\d\d:\d\d:(00|20|40)$/.test(slot))).toEqual(often)
    expect(new Set(often).size).toBe(5)
    expect((await slots('shop.nightly'))[0]).toMatch(/ \d\d:\d\d$/)
  })

  it('tells tasks apart by their arguments and errors, in the list and beside one', async () => {
    const mail = { to: 'ann@shop.example', password: 'hunter22' }
    const [id = ''] = await app.enqueue('shop.mail', [[mail], [{ to: 'bob@shop.example' }]])
    await fail(id, 'TypeError: no such inbox\n    at send')
    const { tab, complaints, go } = await open('tasks')
    const row = tab.locator('table.tasks tr').filter({ hasText: 'ann@shop.example' })
    await row.getByText('TypeError: no such inbox').waitFor()
    expect(await row.textContent()).not.toContain('hunter22')
    await go(`tasks/${id}`)
    const other = tab.locator('.others li')
    await other.getByText('bob@shop.example').waitFor()
    expect(await other.textContent()).toMatch(/due\d{4}-\d\d-\d\d .*ago|just now/)
    expect(complaints).toEqual([])
  })

  it('leads back from a task to the list as it was', async () => {
    const [id = ''] = await app.enqueue('shop.mail', [[1], [2]])
    await app.enqueue('shop.check')
    const { tab } = await open('tasks?task=shop.mail')
    const row = tab.locator('table.tasks tbody tr').last()
    for (const leave of [
      () => tab.keyboard.press('Escape'),
      () => tab.locator('.crumbs').getByRole('link', { name: 'Tasks' }).click(),
    ]) {
      await row.getByRole('link', { name: 'shop.mail' }).click()
      await tab.locator('article h1').waitFor()
      expect(tab.url()).toContain(id)
      await leave()
      await tab.locator('table.tasks').waitFor()
      expect(tab.url()).toMatch(/#\/tasks\?task=shop\.mail$/)
      expect(await row.getAttribute('class')).toBe('at')
    }
  })

  it('offers whole names where a part of one finds nothing, and while one writes', async () => {
    await app.enqueue('shop.mail')
    await app.enqueue('shop.import', [[]], { queueName: 'reports' })
    const { tab, complaints, go } = await open('tasks?task=mail')
    await tab.getByText('task: compares whole names.').waitFor()
    await tab.getByRole('link', { name: 'task:shop.mail' }).click()
    await tab.locator('table.tasks').getByText('shop.mail').waitFor()
    await go('tasks?queue=report')
    await tab.getByRole('link', { name: 'queue:reports' }).click()
    await tab.locator('table.tasks').getByText('shop.import').waitFor()

    await write(tab, 'state:due task:shop.i')
    const offered = tab.locator('#written option')
    await offered.first().waitFor({ state: 'attached' })
    expect(await offered.count()).toBe(1)
    expect(await offered.getAttribute('value')).toBe('state:due task:shop.import')
    expect(complaints).toEqual([])
  })

  it('shows an error before the arguments, and of a long one the beginning', async () => {
    const [id = ''] = await app.enqueue('shop.mail', [['x'.repeat(5_000)]])
    await fail(id, 'TypeError: broken\n')
    const { tab, complaints } = await open(`tasks/${id}`, 375)
    const error = await tab.locator('details.error').boundingBox()
    const values = tab.locator('pre[aria-label=Arguments]')
    expect(error?.y).toBeLessThan((await values.boundingBox())?.y ?? 0)
    expect((await values.boundingBox())?.height).toBeLessThan(800)
    await tab.getByRole('button', { name: 'Show all 5,' }).click()
    expect((await values.textContent())?.length).toBeGreaterThan(5_000)
    expect(complaints).toEqual([])
  })

  it('draws plots of few tasks on a phone without a complaint', async () => {
    await app.enqueue('shop.mail')
    const { tab, complaints, go } = await open('overview', 375)
    await tab.locator('svg').first().waitFor()
    await go('queues')
    await go('overview')
    await tab.locator('svg').first().waitFor()
    await tab.setViewportSize({ width: 40, height: 600 })
    await tab.waitForTimeout(300)
    expect(complaints).toEqual([])
  })

  it('sets a priority, and says what is missing for that', async () => {
    const [id = ''] = await app.enqueue('shop.mail')
    const { tab } = await open(`tasks/${id}`)
    await tab.getByRole('button', { name: 'Set priority' }).click()
    const field = tab.getByRole('spinbutton', { name: 'Priority' })
    expect(await field.evaluate((input) => input.matches(':invalid:focus'))).toBe(true)
    await field.fill('7')
    await tab.getByRole('button', { name: 'Set priority' }).click()
    await tab.getByRole('status').getByText('Priority set: 1').waitFor()
    expect((await app.row(id)).priority).toBe(7)
    await tab.getByText('Priority set: 1').waitFor({ state: 'detached', timeout: 8_000 })
  })
})
