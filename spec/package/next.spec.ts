import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { blocksOf } from '../support/markdown'
import { nodeProgram } from '../support/node-program'
import { installInto, tarball, versionOf } from '../support/packed'
import { copySqliteInto, writeFilesOf } from '../support/packed-app'

jest.setTimeout(900_000)

const app = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-next-')))
const next = join(app, 'node_modules/next/dist/bin/next')
const running: ChildProcess[] = []
/** What the server printed. */
let said = ''

/** The app of the guide, with the files as they stand there. Only its built folder is named from outside; one process builds its few pages. */
const CONFIG = `export default {
  experimental: { cpus: 1 },
  distDir: process.env['DIST_DIR'] ?? '.next',
  typescript: { ignoreBuildErrors: process.env['DIST_DIR'] !== undefined },
}`

// better-sqlite3 is compiled for the Node that installed this repository.
const go = nodeProgram() === process.execPath ? describe : describe.skip

go('an app of Next.js', () => {
  beforeAll(() => {
    page('sh').slice(0, 1).forEach(shell)
    installInto(app, [
      tarball(),
      'next@16',
      'react@19',
      'react-dom@19',
      `typeorm@${versionOf('typeorm')}`,
      'typescript@5',
      '@types/node@20',
      '@types/react@19',
      'tsx',
    ])
    copySqliteInto(app)
    writeFileSync(join(app, 'next.config.ts'), CONFIG)
    expect(writeFilesOf('docs/guide/next.md', app)).toContain('instrumentation.ts')
  })
  afterEach(() => running.splice(0).forEach(end))
  afterAll(() => rmSync(app, { recursive: true, force: true, maxRetries: 10 }))

  it.each([
    ['Turbopack', [], {}],
    ['webpack', ['--webpack'], { DIST_DIR: '.next-webpack' }],
  ])(
    'built by %s enqueues in transactions from everywhere, and its worker runs all',
    async (_, options, more) => {
      // Its error would hold what the build said.
      execFileSync(process.execPath, [next, 'build', ...options], {
        cwd: app,
        env: envOf(more),
        stdio: 'pipe',
      })
      const base = await serve('start', more)

      expect(await fromRoute(base)).toBe('Welcome, route')
      const html = await textOf(await fetch(base))
      expect(await valueOf(base, idIn(html))).toBe('Welcome, page')
      // The page has evaluated the data source once more, and configured last.
      expect(await fromRoute(base)).toBe('Welcome, route')
      expect(await valueOf(base, await fromAction(base, html))).toBe('Welcome, action')
    },
  )

  it('in `next dev` goes on with the tasks as they are after an edit', async () => {
    const base = await serve('dev', {})
    expect(await fromRoute(base)).toBe('Welcome, route')
    await textOf(await fetch(base))
    const file = join(app, 'src/mail.tasks.ts')
    const text = readFileSync(file, 'utf8')

    writeFileSync(file, `\n${text.replace('`Welcome, ', '`Hello, ')}`)

    while ((await fromRoute(base)) !== 'Hello, route') await sleep(200)
    expect(await valueOf(base, idIn(await textOf(await fetch(base))))).toBe('Hello, page')
    writeFileSync(file, text)
  })

  it('has its tasks run by a worker beside it, and its migration made and applied', () => {
    const id = tasks('enqueue', 'mail.welcome', '["all"]', '-d', 'src/data-source.ts').trim()

    tasks('db_worker', '--batch', '--no-startup-delay', '-d', 'src/data-source.ts')

    expect(tasks('results', id, '-d', 'src/data-source.ts')).toContain('Welcome, all')
    expect(tasks('check', '-d', 'src/data-source.ts')).toContain('no issues (1 task(s)')
    const file = join(app, 'src/data-source.ts')
    writeFileSync(file, readFileSync(file, 'utf8').replace('  synchronize: true,\n', ''))
    expect(page('sh').slice(-1).map(shell)[0]).toMatch(
      /^Wrote migrations\/[^]*migration:run[^]*executed successfully/,
    )
    expect(tasks('check')).toContain('no issues')
  })
})

/** The page's blocks of a language. */
function page(language: string): string[] {
  return blocksOf('docs/guide/next.md')
    .filter((block) => block.language === language)
    .map(({ text }) => text)
}

/** Runs the lines of a block as they stand there, save installs, which are made at once. */
function shell(text: string): string {
  return execFileSync('bash', ['-ec', text.replace(/^npm install .*$/gm, '')], {
    cwd: app,
    env: envOf({}),
    encoding: 'utf8',
  })
}

function envOf(more: object): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env
  return { ...env, NODE_ENV: undefined, NEXT_TELEMETRY_DISABLED: '1', ...more } as NodeJS.ProcessEnv
}

/** Starts Next's server; resolves with its address once it answers. */
async function serve(command: 'start' | 'dev', more: object): Promise<string> {
  const port = await freePort()
  const server = spawn(process.execPath, [next, command, '-p', String(port)], {
    cwd: app,
    env: envOf(more),
    stdio: ['ignore', 'pipe', 'pipe'],
    // It has processes of its own, which end with it.
    detached: true,
  })
  running.push(server)
  said = ''
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk) => (said += String(chunk)))
  const base = `http://127.0.0.1:${port}`
  while (!(await answers(base))) {
    if (server.exitCode !== null) throw new Error(`next ${command} has ended: ${said}`)
    await sleep(200)
  }
  return base
}

function end({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

async function answers(base: string): Promise<boolean> {
  try {
    await fetch(`${base}/nothing-is-here`)
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status}: ${said.slice(-2000)}`)
  return text
}

async function fromRoute(base: string): Promise<unknown> {
  const answer = await textOf(await fetch(`${base}/api/welcome`, { method: 'POST' }))
  return valueOf(base, (JSON.parse(answer) as { id: string }).id)
}

/** Sends the page's form as a browser without JavaScript does; gives the id of the task. */
async function fromAction(base: string, html: string): Promise<string> {
  const form = new FormData()
  for (const [, input = ''] of html.matchAll(/<input ([^>]*)>/g)) {
    const name = /name="([^"]*)"/.exec(input)?.[1]
    if (name) form.append(name, /value="([^"]*)"/.exec(input)?.[1]?.replaceAll('&quot;', '"') ?? '')
  }
  const { status, headers } = await fetch(base, { method: 'POST', body: form, redirect: 'manual' })
  expect(status).toBe(303)
  return idIn(headers.get('location') ?? '')
}

function idIn(text: string): string {
  return /\/api\/welcome\?id=([0-9a-f-]{36})/.exec(text)?.[1] ?? 'none'
}

/** What the task returned, once a worker has run it. */
async function valueOf(base: string, id: string): Promise<unknown> {
  for (;;) {
    const answer = await textOf(await fetch(`${base}/api/welcome?id=${id}`))
    const { status, value } = JSON.parse(answer) as { status: string; value: unknown }
    if (status === 'SUCCESSFUL') return value
    if (status === 'FAILED') throw new Error(`The task ${id} has failed.`)
    await sleep(100)
  }
}

function tasks(...args: string[]): string {
  const program = join(app, 'node_modules/typeorm-tasks/dist/cli/index.js')
  return execFileSync(process.execPath, [program, ...args], {
    cwd: app,
    env: envOf({}),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
