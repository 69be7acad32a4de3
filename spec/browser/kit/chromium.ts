import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const HINT = 'Install it (Debian: apt-get install chromium), or name its file in CHROMIUM.'

/** Chromium asks nothing of the internet, and needs no screen. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** A browser of one spec file. */
export interface SpecBrowser {
  /** A new profile: tabs of it share what pages store. */
  profile(options?: { width?: number; dark?: boolean }): Promise<BrowserContext>
}

/** Runs the specs in `body` with Chromium. A missing one is named: then they are skipped, and under CI the file fails. */
export function describeInBrowser(name: string, body: (browser: SpecBrowser) => void): void {
  const file = process.env['CHROMIUM'] ?? PLACES.find((place) => existsSync(place))
  if (file === undefined || !existsSync(file)) return missing(name)
  describe(name, () => {
    let browser: Browser | undefined
    const profiles: BrowserContext[] = []
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: file, args: FLAGS })
    })
    afterEach(async () => {
      for (const profile of profiles.splice(0)) await profile.close()
    })
    afterAll(() => browser?.close())
    body({
      profile: async ({ width = 1_000, dark = false } = {}) => {
        if (!browser) throw new Error('Chromium has not started.')
        const colorScheme = dark ? ('dark' as const) : ('light' as const)
        const profile = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
        profiles.push(profile)
        return profile
      },
    })
  })
}

/** What a page has complained of: errors of its scripts, and of its console. To be empty at the end. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return complaints
}

function missing(name: string): void {
  const line = `MISSING: Chromium. ${HINT}`
  const isCi = !['', '0', 'false'].includes(process.env['CI'] ?? '')
  if (isCi) throw new Error(`Under CI Chromium must be there.\n${line}`)
  process.stderr.write(`\n${line}\nThe specs in a browser are skipped.\n\n`)
  describe.skip(name, () => {
    it('needs Chromium', () => {})
  })
}
