import type { Page } from 'playwright-core'
import type { CliApp } from '../../support/cli-app'
import { complaintsOf, type SpecBrowser } from './chromium'

/** Starts `tasks dashboard` in an app, and gives the link of its page. */
export async function linkOf(app: CliApp): Promise<string> {
  const server = app.start('dashboard', '--port', '0')
  await server.says('Press Ctrl+C')
  return /http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]+/.exec(server.log)?.[0] ?? ''
}

interface Look {
  readonly width?: number
  readonly dark?: boolean
  /** false: the page has something to complain of. Default true. */
  readonly isLive?: boolean
}

/** A tab that has been let in. */
export class DashboardPage {
  /** What the console and the browser's policy had to say against the page. */
  readonly complaints: string[]
  readonly tab: Page
  readonly #link: string

  private constructor(tab: Page, link: string) {
    this.tab = tab
    this.#link = link
    this.complaints = complaintsOf(tab)
  }

  static async open(
    browser: SpecBrowser,
    link: string,
    place: string,
    { isLive = true, ...look }: Look = {},
  ): Promise<DashboardPage> {
    const page = new DashboardPage(
      await (await browser.profile({ width: 1_280, ...look })).newPage(),
      link,
    )
    await page.tab.goto(link)
    if (isLive) await page.tab.locator('.mode.live').waitFor()
    if (isLive) await page.go(place)
    else await page.tab.goto(link.replace(/#.*/, `#/${place}`))
    return page
  }

  /** Goes to a place, such as `tasks?queue=mail`, and waits until it is there. */
  readonly go = async (place: string): Promise<void> => {
    await this.tab.goto(this.#link.replace(/#.*/, `#/${place}`))
    await this.tab.locator('main > *').first().waitFor()
    await this.tab.locator('.mode.live').waitFor()
  }
}
