import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { type CliApp, cliApp, Program, until } from '../support/cli-app'
import { describeInBrowser, type SpecBrowser } from './kit/chromium'
import { DashboardPage, linkOf } from './kit/dashboard-page'
import { addHistory, SEED, SHOP } from './kit/shop'

const IMAGES = join(__dirname, '../../docs/images')

// The pictures of the guide: SCREENSHOTS=1 npx jest --selectProjects browser --testPathPatterns screenshots
if (process.env['SCREENSHOTS'] === '1') describeInBrowser('the pictures of the guide', draw)
else it.skip('are drawn when SCREENSHOTS=1 asks for them', () => {})

function draw(browser: SpecBrowser): void {
  let app: CliApp
  let link: string

  beforeAll(async () => {
    app = await cliApp({ allTables: true, files: { 'tasks.js': SHOP, 'seed.js': SEED } })
    link = await linkOf(app)
    await addHistory(app)
    await app.enqueue('crm.export', [[1], [2]], { queueName: 'partner' })
    app.start(
      'db_worker',
      '--no-startup-delay',
      '--interval',
      '0.1',
      '--queue-name',
      'default,mail,reports',
      '--no-schedules',
      '--worker-id',
      'shop',
    )
    await app.enqueue('shop.import', [['prices-may.csv'], ['prices-june.csv']])
    await app.enqueue('mail.receipt', [[7], [8], [9]], { queueName: 'mail' })
    const seed = new Program(app.root, 'seed.js', [])
    expect([(await seed.exited).code, seed.log]).toEqual([0, ''])
    await until(
      async () =>
        (await idOf('report.build', 'RUNNING')) !== undefined &&
        (await app.rows()).some(({ progress }) => (progress?.done ?? 0) > 120),
      () => 'a report that runs',
    )
  })

  async function idOf(taskPath: string, status: string): Promise<string | undefined> {
    const rows = await app.rows()
    return rows.find((row) => row.taskPath === taskPath && row.status === status)?.id
  }

  const open = async (place: string, width: number, dark = false): Promise<Page> =>
    (await DashboardPage.open(browser, link, place, { width, dark })).tab

  const save = (page: Page, name: string, width: number, height: number) =>
    page.screenshot({
      path: join(IMAGES, `dashboard-${name}.png`),
      animations: 'disabled',
      clip: { x: 0, y: 0, width, height },
    })

  it('one task with its progress and its flow', async () => {
    const page = await open(`tasks/${await idOf('report.build', 'RUNNING')}`, 1_280)
    await page.getByText('left').first().waitFor()
    await save(page, 'task', 1_280, 650)
  })

  it('tasks, in the dark', async () => {
    const page = await open('tasks', 1_280, true)
    await page.locator('table.tasks').waitFor()
    await save(page, 'tasks', 1_280, 650)
  })

  it('the overview, on a desk and on a phone', async () => {
    for (const [name, width, height] of [
      ['overview', 1_280, 650],
      ['phone', 390, 800],
    ] as const) {
      const page = await open('overview', width)
      await page.locator('svg').first().waitFor()
      await page.waitForTimeout(500)
      await save(page, name, width, height)
    }
  })
}
