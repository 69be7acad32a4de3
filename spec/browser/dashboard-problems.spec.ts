import type { Page } from 'playwright-core'
import { DBTaskResult } from '#entities'
import { type CliApp, cliApp, Program, until } from '../support/cli-app'
import { describeInBrowser } from './kit/chromium'
import { DashboardPage, linkOf } from './kit/dashboard-page'

jest.setTimeout(60_000)

/** An app that lets everybody view, and nobody see values. SIGUSR2 closes the page, but not the server. */
const SERVER = `
  const { createServer } = require('node:http')
  const { configureTasks } = require('typeorm-tasks')
  const { dashboard } = require('typeorm-tasks/dashboard')
  const { dataSource, TASKS: { default: settings } } = require('./ormconfig.js')
  configureTasks({ default: { ...settings, OPTIONS: { dataSource } } })
  const page = dashboard({ authorize: () => ['view', 'queues'] })
  process.on('SIGUSR2', () => page.close())
  dataSource.initialize().then(() => {
    const server = createServer((request, response) => page.node(request, response))
    server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port + '.'))
  })`

describeInBrowser('what the dashboard cannot show', (browser) => {
  const alerts = (tab: Page) => tab.getByRole('alert')

  async function serverOf(app: CliApp): Promise<{ server: Program; link: string }> {
    const server = new Program(app.root, 'server.js', [])
    await server.says(/port \d+\./)
    const [, port = ''] = /port (\d+)\./.exec(server.log) ?? []
    return { server, link: `http://127.0.0.1:${port}/#/` }
  }

  it('says once that tables are missing, in words that are right', async () => {
    const app = await cliApp({ allTables: true })
    for (const name of ['db_task_result', 'db_task_worker'])
      await app.dataSource.query(`DROP TABLE ${name}`)
    const { tab } = await DashboardPage.open(browser, await linkOf(app), 'tasks', {
      isLive: false,
    })
    await alerts(tab).getByText('does not exist').waitFor()
    await tab.locator('.mode').getByText('cannot be read').waitFor()
    await tab.waitForTimeout(2_000)
    expect(await alerts(tab).count()).toBe(1)
  })

  it('keeps values from those who may not see them, and says so apart from the filter', async () => {
    const app = await cliApp({ files: { 'server.js': SERVER } })
    const [id = ''] = await app.enqueue('app.add', [['secret'], ['secret']])
    await app.dataSource.getRepository(DBTaskResult).update(id, {
      status: 'FAILED',
      finishedAt: new Date(),
      exceptionClassPath: 'TypeError',
      traceback: 'TypeError: a secret\n',
      claims: 1,
    })
    const { link } = await serverOf(app)
    const { tab, go } = await DashboardPage.open(browser, link, 'tasks')
    await tab.locator('table.tasks').getByText('app.add').first().waitFor()
    expect(await tab.locator('body').textContent()).not.toContain('secret')
    await go(`tasks/${id}`)
    await tab.locator('details.error').getByText('You may not see values').waitFor()
    expect(await tab.getByRole('button', { name: /^Copy: (?!id)/ }).count()).toBe(0)

    await go('queues')
    await tab.getByText('The DataSource does not list the entity DBTaskQueue').waitFor()
    const pause = tab.getByRole('button', { name: 'Pause' })
    expect(await pause.isDisabled()).toBe(true)

    await tab.goto(`${link}tasks?text=secret`)
    const problem = await alerts(tab).first().boundingBox()
    const chips = await tab.locator('.chips').boundingBox()
    expect(problem?.y).toBeGreaterThan((chips?.y ?? 0) + (chips?.height ?? 0) + 5)
  })

  it('says once that the page is closed', async () => {
    const app = await cliApp({ files: { 'server.js': SERVER } })
    await app.enqueue('app.add', [[1]])
    const { server, link } = await serverOf(app)
    const { tab } = await DashboardPage.open(browser, link, 'tasks')
    await tab.locator('table.tasks').waitFor()
    const most: number[] = []
    server.kill('SIGUSR2')
    await alerts(tab).getByText('The dashboard is closed.').waitFor()
    most.push(await alerts(tab).count())
    server.kill('SIGKILL')
    await until(
      async () => {
        most.push(await alerts(tab).count())
        return tab.getByText('The server does not answer.').isVisible()
      },
      () => 'that the server is away',
    )
    most.push(await alerts(tab).count())
    expect(Math.max(...most)).toBe(1)
    expect(await tab.getByText('The dashboard is closed.').count()).toBe(0)
  })
})
