import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { blocksOf } from '../support/markdown'
import { linkInto, tarball } from '../support/packed'

// Each page installs its packages, compiles and starts several processes.
jest.setTimeout(900_000)

const run = promisify(execFile)
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-minutes-')))

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The page, and the version of TypeScript that its installs bring: what is the latest, unless named. */
const copied: [page: string, typescript: string][] = [
  ['README.md', 'typescript'],
  ['README.md', 'typescript@5.9'],
  ['docs/guide/quick-start.md', 'typescript'],
  ['docs/guide/quick-start.md', 'typescript@5.9'],
  ['docs/guide/quick-start-javascript.md', 'typescript'],
  ['docs/guide/nestjs.md', 'typescript'],
  ['docs/guide/monorepo.md', 'typescript@5.9'],
]

it.concurrent.each(copied)(
  '%s, copied block by block into an empty folder, prints what it says (%s)',
  async (page, typescript) => {
    const folder = mkdtempSync(join(scratch, 'app-'))
    const port = await freePort()
    let said = ''
    let expected = 0
    for (const { language, file, text } of blocksOf(page)) {
      if (file !== undefined) write(join(folder, file), text)
      else if (language === 'sh') said = await shell(folder, text, { typescript, port })
      else if (language === 'text') {
        expect(said).toMatch(pattern(text))
        expected++
      }
    }
    expect(expected).toBeGreaterThan(0)
    expect(compilerIn(folder)).toMatch(
      page.includes('javascript') ? /^none$/ : typescript.includes('@') ? /^5\.9\./ : /^[67]\./,
    )
  },
)

/** What is printed stands there in this order; "…" is what differs from run to run. */
function pattern(text: string): RegExp {
  const lines = text.trimEnd().split('\n')
  const escaped = lines.map((line) =>
    line.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('…', '.*'),
  )
  return new RegExp(escaped.map((line) => `^${line}$`).join(String.raw`[\s\S]*?`), 'm')
}

/** Runs the lines of a block as they are, save where the packages come from, and a port that others may have. */
async function shell(
  folder: string,
  text: string,
  { typescript, port }: { typescript: string; port: number },
): Promise<string> {
  const source = tarball()
  const lines = text
    .replaceAll('localhost:3000', `localhost:${port}`)
    .replace(/^npm install .*$/gm, (line) =>
      line
        .replace(/^npm/, `node "${NPM_ONCE}"`)
        .replace(/ typeorm-tasks\b/, ` ${source}`)
        .replace(/ typescript\b/, ` ${typescript}`),
    )
  // What a line has started in the background must not outlive a line that fails.
  const script = `exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n${lines}`
  const { stdout } = await run('bash', ['-ec', script], {
    cwd: folder,
    env: { ...process.env, ...NPM, PORT: String(port), NODE_ENV: '', NODE_OPTIONS: '' },
  }).catch((error: { stdout: string }) => {
    throw new Error(`${lines}\n${error.stdout}`, { cause: error })
  })
  // Compiled once for the repository; building it again would take minutes.
  if (/^npm install .*better-sqlite3/m.test(text)) {
    rmSync(join(folder, 'node_modules/better-sqlite3'), { recursive: true, force: true })
    linkInto(folder, 'better-sqlite3')
  }
  return stdout
}

const NPM_ONCE = join(__dirname, '../support/npm-once.cjs')
const NPM = {
  npm_config_prefer_offline: 'true',
  npm_config_ignore_scripts: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
}

function compilerIn(folder: string): string {
  const manifest = join(folder, 'node_modules/typescript/package.json')
  if (!existsSync(manifest)) return 'none'
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
