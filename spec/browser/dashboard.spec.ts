import { DBTaskResult } from '#entities'
import { type CliApp, cliApp } from '../support/cli-app'
import { describeInBrowser } from './kit/chromium'
import { DashboardPage, linkOf } from './kit/dashboard-page'

/** What would run if any text of a row became a part of the page. */
const EVIL = '"><img src=x onerror="pwned=1"><script>pwned=1</script>'

describeInBrowser('the page of the dashboard', (browser) => {
  let app: CliApp
  let link: string

  beforeAll(async () => {
    app = await cliApp({ allTables: true })
    link = await linkOf(app)
  })

  it('takes the token out of the address, and is live without a reload', async () => {
    const { tab: page, complaints } = await DashboardPage.open(browser, link, 'tasks')
    expect(page.url()).not.toContain('token')
    await page.getByText('No tasks yet.').waitFor()
    await page.locator('.mode.live').waitFor()
    await app.enqueue('mail.send', [[]], { queueName: 'mail' })
    await page.locator('table.tasks').getByText('mail.send').waitFor()
    expect(complaints).toEqual([])
  })

  it('filters by what is written, and the filter is the address', async () => {
    await app.enqueue('app.add', [[1, 2]])
    await app.enqueue('mail.send', [[]], { queueName: 'mail' })
    const { tab: page, complaints } = await DashboardPage.open(browser, link, 'tasks')
    await page.locator('table.tasks').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('queue:mail')
    await page.keyboard.press('Enter')
    await page.locator('.chip').waitFor()
    await page.getByText('app.add').waitFor({ state: 'detached' })
    expect(page.url()).toContain('#/tasks?queue=mail')
    await page.locator('.chip').click()
    await page.getByText('app.add').first().waitFor()
    expect(complaints).toEqual([])
  })

  it('cancels a task after it has asked', async () => {
    const [id = ''] = await app.enqueue('app.sleep', [[1]])
    const { tab: page, complaints } = await DashboardPage.open(browser, link, `tasks/${id}`)
    await page.locator('article').getByRole('button', { name: 'Cancel' }).click()
    expect((await app.row(id)).status).toBe('READY')
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('1 cancelled').waitFor()
    await page.locator('h1 .state.FAILED').waitFor()
    expect((await app.row(id)).status).toBe('FAILED')
    expect(complaints).toEqual([])
  })

  it('F72 shows whatever stands in a row as text', async () => {
    const [id = ''] = await app.enqueue('app.add', [[EVIL, { [EVIL]: 'a\u202eb' }]])
    await app.dataSource.getRepository(DBTaskResult).update(id, {
      taskPath: EVIL,
      queueName: '<script>pwned=1</script>',
      status: 'FAILED',
      finishedAt: new Date(),
      exceptionClassPath: EVIL,
      traceback: EVIL,
      workerIds: [EVIL],
      claims: 1,
    } as object)
    const { tab: page, complaints, go } = await DashboardPage.open(browser, link, 'tasks')
    await page.locator('table.tasks').getByText('<img src=x').first().waitFor()
    for (const place of [`tasks/${id}`, 'overview', 'queues', 'workers', 'schedules']) {
      await go(place)
    }
    await go(`tasks/${id}`)
    await page.locator('article h1').waitFor()
    expect(await page.locator('article').textContent()).toContain('a\\u{202e}b')
    expect(await page.evaluate('globalThis.pwned')).toBeUndefined()
    expect(complaints).toEqual([])
  })
})
