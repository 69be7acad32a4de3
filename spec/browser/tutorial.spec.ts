import type { ChildProcess } from 'node:child_process'
import type { Locator, Page } from 'playwright-core'
import { end, Tutorial } from '../support/tutorial'
import { complaintsOf, describeInBrowser } from './kit/chromium'

jest.setTimeout(120_000)

describeInBrowser('the page of the Express example', (browser) => {
  let tutorial: Tutorial
  let worker: ChildProcess
  let url = ''

  beforeAll(async () => {
    tutorial = new Tutorial()
    url = await tutorial.server()
    worker = tutorial.worker('--concurrency', '2')
  })
  afterAll(() => tutorial?.stop())

  const opened = async (): Promise<Page> => {
    const page = await (await browser.profile()).newPage()
    await page.goto(url)
    return page
  }

  it('a press shows a bar that moves, and the result', async () => {
    const page = await opened()
    const complaints = complaintsOf(page)
    const report = await press(page, 'Moving')

    const values = await valuesUntil(report, 'total 19.5 of 3 rows')

    expect(new Set(values).size).toBeGreaterThan(3)
    expect(values).toEqual(values.toSorted((a, b) => a - b))
    expect(values.at(-1)).toBe(1)
    expect(await report.getByRole('button').allInnerTexts()).toEqual(['Remove'])
    expect(complaints).toEqual([])
  })

  it('what waits says behind how many; a cancel reaches the worker, another process', async () => {
    const page = await opened()
    const reports: Locator[] = []
    for (const name of ['One', 'Two', 'Three', 'Four']) reports.push(await press(page, name))
    await seen(reports[3], 'waiting behind 1')

    for (const report of reports.toReversed()) await report.getByText('Cancel').click()

    for (const report of reports) await seen(report, 'The task was cancelled.')
  })

  it('a reload, and a second tab, go on watching; a name that is taken is told', async () => {
    const page = await opened()
    await press(page, 'Watched')
    const tab = await page.context().newPage()
    await tab.goto(url)
    await press(tab, 'Of the second tab')
    await page.reload()

    for (const each of [page, tab])
      for (const name of ['Watched', 'Of the second tab'])
        await seen(reportOf(each, name), 'total 19.5 of 3 rows')

    await fill(page, 'Watched')
    await page.getByText('There is a report named Watched already.').waitFor()
  })

  it('an upload without rows says so, and can be tried again', async () => {
    const page = await opened()
    const buffer = Buffer.from('item,amount\n')
    await page.locator('[name=file]').setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer })
    const report = await press(page, 'Empty')
    await seen(report, 'Empty has no rows below its header.')

    await report.getByText('Try again').click()

    await seen(report, 'Empty has no rows below its header.')
    expect(await page.locator('li').count()).toBe(1)
  })

  it('a worker is killed half way, and another finishes', async () => {
    const page = await opened()
    const report = await press(page, 'Killed')
    await seen(report, /part ([89]|1\d) of 20/)
    await end(worker, 'SIGKILL')
    worker = tutorial.worker()

    const values = await valuesUntil(report, 'total 19.5 of 3 rows')

    // It began anew, so the bar went back.
    expect(values.some((value, at) => value < (values[at - 1] ?? 0))).toBe(true)
  })

  it('a token of another server ends the watching with the reason', async () => {
    const page = await opened()
    const id = '01981c1e-7c2a-7b3c-8d4e-5f6071829304'
    const stale = JSON.stringify([{ name: 'Stale', id, token: 'a.b' }])
    await page.evaluate(`localStorage.setItem('reports', ${JSON.stringify(stale)})`)
    await page.reload()
    await seen(reportOf(page, 'Stale'), 'The token is wrong, or too old.')
  })

  it('fits on a phone, in the dark', async () => {
    const profile = await browser.profile({ width: 360, dark: true })
    const page = await profile.newPage()
    await page.goto(url)
    await press(page, 'A report with a long name, such as people give them')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    const colour = 'getComputedStyle(document.querySelector(".state")).color'
    expect(await page.evaluate(colour)).toBe('rgb(170, 170, 170)')
  })
})

async function fill(page: Page, name: string): Promise<void> {
  await page.locator('[name=name]').fill(name)
  await page.getByText('Build report').click()
}

async function press(page: Page, name: string): Promise<Locator> {
  await fill(page, name)
  await reportOf(page, name).waitFor()
  return reportOf(page, name)
}

function reportOf(page: Page, name: string): Locator {
  return page.locator('li').filter({ has: page.getByText(name, { exact: true }) })
}

async function seen(report: Locator | undefined, text: string | RegExp): Promise<void> {
  await report?.getByText(text).waitFor({ timeout: 40_000 })
}

/** The values of its bar until the text is there. */
async function valuesUntil(report: Locator, text: string): Promise<number[]> {
  const bar = report.locator('progress')
  const values = [0]
  const over = seen(report, text).then(() => true)
  for (let isOver = false; !isOver;) {
    isOver = await Promise.race([over, new Promise<false>((go) => setTimeout(go, 100, false))])
    const value = Number(await bar.getAttribute('value'))
    if (value !== values.at(-1)) values.push(value)
  }
  return values
}
