import { Proxy } from '../faults/kit/proxy'
import { cliApp } from '../support/cli-app'
import { describeEachDatabase } from '../support/databases'
import { describeInBrowser } from './kit/chromium'
import { DashboardPage, linkOf } from './kit/dashboard-page'

jest.setTimeout(120_000)

/** The browser itself complains of each answer that is an error. */
const ofTheBrowser = (complaint: string): boolean => complaint.startsWith('Failed to load resource')
const WITHIN = { timeout: 60_000 }

describeEachDatabase(
  ({ fresh }) => {
    describeInBrowser('the dashboard while something is away', (browser) => {
      const proxies: Proxy[] = []
      afterAll(() => Promise.all(proxies.map((proxy) => proxy.close())))

      it('says that the database is away, keeps what it has shown, and is live when it is back', async () => {
        const options = await fresh()
        if (options.type !== 'postgres') throw new Error(`This is ${options.type}.`)
        const proxy = await Proxy.to({ host: options.host ?? '', port: options.port ?? 0 })
        proxies.push(proxy)
        const database = { ...options, host: '127.0.0.1', port: proxy.port }
        const app = await cliApp({ allTables: true, database })
        await app.enqueue('app.add', [[1, 2]])
        const page = await DashboardPage.open(browser, await linkOf(app), 'tasks')
        const { tab, complaints } = page
        const row = tab.locator('table.tasks').getByText('app.add')
        await row.waitFor()

        await proxy.refuse()
        proxy.cut()
        await tab.locator('.mode.away').getByText('cannot be read').waitFor(WITHIN)
        expect(await row.isVisible()).toBe(true)
        await tab.getByRole('alert').first().waitFor()
        await proxy.accept()
        await tab.locator('.mode.live').waitFor(WITHIN)
        await tab
          .getByRole('alert')
          .first()
          .waitFor({ state: 'detached', ...WITHIN })
        await app.enqueue('mail.send', [[]], { queueName: 'mail' })
        await tab.locator('table.tasks').getByText('mail.send').waitFor(WITHIN)
        expect(complaints.filter((each) => !ofTheBrowser(each))).toEqual([])
      })

      it('says that the server is away, and goes on with one that takes its place', async () => {
        const app = await cliApp({ allTables: true, database: await fresh() })
        const token = 'token-of-this-spec-alone'
        app.write('token', token)
        const first = app.start('dashboard', '--port', '0', '--token-file', 'token')
        await first.says('Press Ctrl+C')
        const [url = '', port = ''] = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(first.log) ?? []
        const { tab, complaints } = await DashboardPage.open(
          browser,
          `${url}#token=${token}`,
          'tasks',
        )
        await tab.getByText('No tasks yet.').waitFor()

        first.kill('SIGKILL')
        await first.exited
        await tab.locator('.mode.away').waitFor(WITHIN)
        await tab.getByText('The server does not answer.').waitFor()
        await app.start('dashboard', '--port', port, '--token-file', 'token').says('Press Ctrl+C')
        await tab.locator('.mode.live').waitFor(WITHIN)
        await app.enqueue('app.add', [[1, 2]])
        await tab.locator('table.tasks').getByText('app.add').waitFor(WITHIN)
        expect(complaints.filter((each) => !ofTheBrowser(each))).toEqual([])
      })
    })
  },
  { only: ['postgres'] },
)
