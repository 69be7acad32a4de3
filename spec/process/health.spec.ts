import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CliApp, cliApp, TASKS_FILE, until } from '../support/cli-app'
import { appOf } from '../support/temp-app'
import { Prober } from '../support/probing'
import { freePort } from '../support/servers/free-port'

const BIN = join(__dirname, '../../dist/cli/index.js')
const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.1', '--worker-id', 'w']

const TASKS = `${TASKS_FILE}
  const { existsSync } = require('node:fs')
  if (existsSync(__dirname + '/broken') && process.argv.lastIndexOf('w-2') > 0) throw new Error('the app is broken')
  task('app.pid', async () => process.pid)
  task('app.kill', async () => process.kill(process.pid, 'SIGKILL'))`

async function worker(...args: string[]) {
  const app = await cliApp({ files: { 'tasks.js': TASKS }, allTables: true })
  const probes = await Prober.atFreePort()
  const running = app.start(...WORKER, ...probes.args, ...args)
  return { app, probes, running }
}

async function becomes(probes: Prober, ...statuses: number[]): Promise<void> {
  let last: number[] = []
  await until(
    async () => (last = await probes.all()).join() === statuses.join(),
    () => `${statuses.join()}; the last was ${last.join()}`,
    20_000,
  )
}

describe('db_worker --health-port', () => {
  it('answers whether the worker is live, ready and started, from its start to its end', async () => {
    const { app, probes, running } = await worker()
    await running.says(
      `Probes: http://127.0.0.1:${probes.port}/livez http://127.0.0.1:${probes.port}/readyz http://127.0.0.1:${probes.port}/startupz`,
    )
    await becomes(probes, 200, 200, 200)
    expect(await probes.report()).toEqual({
      live: true,
      ready: true,
      started: true,
      problems: [],
      state: 'running',
      workerId: 'w',
      startedAt: expect.stringMatching(/^20\S+Z$/) as string,
      running: 0,
      lastExchangeAt: expect.stringMatching(/^20\S+Z$/) as string,
      eventLoopDelayMs: expect.any(Number) as number,
      database: 'up',
      databaseSince: expect.stringMatching(/^20\S+Z$/) as string,
      paused: [],
    })

    await app.tasks('queues', 'pause', 'default')
    await until(
      async () => String((await probes.report())['paused']) === 'default',
      () => 'the pause',
    )
    expect(await probes.all()).toEqual([200, 200, 200])
    await app.tasks('queues', 'resume', 'default')
    await app.enqueue('app.sleep', [[1_500]])
    await running.says('state=RUNNING')
    expect((await probes.report())['running']).toBe(1)

    running.kill('SIGTERM')
    await running.says('shutting down gracefully')

    expect(await probes.all()).toEqual([200, 503, 200])
    const { problems, state } = await probes.report()
    expect({ problems, state }).toEqual({ problems: ['It is stopping.'], state: 'stopping' })
    expect(await running.exited).toEqual({ code: 0, signal: null })
    expect(await probes.all()).toEqual([0, 0, 0])
  })

  it('says before the app is loaded that the worker is live, and neither ready nor started', async () => {
    const app = await cliApp({
      files: {
        'late.tasks.js': `
          const { existsSync } = require('node:fs')
          exports.late = new Promise((resolve) => {
            const look = setInterval(() => existsSync(__dirname + '/go') && (clearInterval(look), resolve()), 20)
          })`,
        'tasks.mjs': '',
      },
    })
    app.write(
      'ormconfig.js',
      readFileSync(join(app.root, 'ormconfig.js'), 'utf8').replace(
        'exports.dataSource =',
        'const made =',
      ) +
        `
        exports.dataSource = require('./late.tasks').late.then(() => made)`,
    )
    const probes = await Prober.atFreePort()
    app.start(...WORKER, ...probes.args)

    await becomes(probes, 200, 503, 503)
    expect((await probes.report()).problems).toEqual(['It is starting.'])

    app.write('go', '')
    await becomes(probes, 200, 200, 200)
  })

  it('names a port that is taken, and an address that is not here, before the app is loaded', async () => {
    const app = await cliApp({ files: { 'ormconfig.js': `throw new Error('loaded')` } })
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }

    for (const more of [[], ['--processes', '2']])
      expect(await app.tasks(...WORKER, '--health-port', String(port), ...more)).toEqual({
        code: 2,
        stdout: '',
        stderr: `error: argument --health-port: another program listens on port ${port} of 127.0.0.1. Give another one; 0 takes a free one.\n`,
      })
    server.close()
    const elsewhere = await app.tasks(...WORKER, '--health-port', '0', '--health-host', '192.0.2.1')
    expect(elsewhere.stderr).toBe(
      'error: argument --health-host: nothing can listen on port 0 of 192.0.2.1 (EADDRNOTAVAIL). Give an address of this machine.\n',
    )
  })

  it.each([
    [
      ['--health-port', '65536'],
      `argument --health-port: expected a whole number from 0 to 65535, got '65536'. See --help.`,
    ],
    [
      ['--health-host', '::1'],
      'argument --health-host: only valid with --health-port. Add --health-port or remove --health-host.',
    ],
    [['--health-file', ''], `argument --health-file: expected a value, got ''. See --help.`],
  ])('%j is refused before the app is loaded', async (args, message) => {
    const app = await cliApp({ files: { 'ormconfig.js': `throw new Error('loaded')` } })

    expect(await app.tasks('db_worker', ...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })

  it('keeps no worker that has nothing left to do', async () => {
    const app = await cliApp()

    const { code, stderr } = await app.tasks('db_worker', '--batch', '--health-port', '0')

    expect(stderr).toContain('Exiting gracefully')
    expect(code).toBe(0)
  })
})

describe('db_worker --health-file', () => {
  it('is read by npx tasks health while the worker runs, and is gone after that', async () => {
    const app = await cliApp()
    const file = join(app.root, 'health.json')
    const running = app.start(...WORKER, '--health-file', file)
    await until(
      async () => (await app.tasks('health', '--file', file, '--probe', 'ready')).code === 0,
      () => `a ready worker: ${running.log}`,
    )

    const { code, stdout, stderr } = await app.tasks('health', '--file', file)

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ live: true, ready: true, state: 'running' })
    running.kill('SIGTERM')
    await running.exited
    expect(existsSync(file)).toBe(false)
    expect(await app.tasks('health', '--file', file)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${file} is not there. The worker does not run, or runs without --health-file ${file}.\n`,
    })
  })

  it('is too old after a while, where the worker was killed', async () => {
    const app = await cliApp()
    const file = join(app.root, 'health.json')
    const running = app.start(...WORKER, '--health-file', file)
    await until(
      () => existsSync(file),
      () => 'the file',
    )
    running.kill('SIGKILL')
    await running.exited
    const past = new Date(Date.now() - 20_000)
    utimesSync(file, past, past)

    expect((await app.tasks('health', '--file', file)).code).toBe(0)
    const { code, stderr } = await app.tasks('health', '--file', file, '--max-age', '15')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error: \S+health\.json was last written 2\d s ago, and --max-age is 15\. Its worker was killed, or its event loop is blocked: start it again\.\n$/,
    )
  })

  it('is no report where it is of the future', async () => {
    const app = emptyApp({ 'health.json': JSON.stringify(REPORT) })
    const at = (ms: number): Date => new Date(Date.now() + ms)

    utimesSync(app.path('health.json'), at(2_000), at(2_000))
    expect(app('health', '--file', 'health.json').status).toBe(0)
    utimesSync(app.path('health.json'), at(3_600_000), at(3_600_000))
    const { status, stderr } = app('health', '--file', 'health.json')

    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^error: health\.json was last written 3[56]\d\d s in the future\. The clock was set back, or/,
    )
  })

  it('replaces no pipe and no link', async () => {
    const app = await cliApp({ files: { 'ormconfig.js': `throw new Error('loaded')` } })
    const [pipe, link] = [join(app.root, 'pipe'), join(app.root, 'link')]
    execFileSync('mkfifo', [pipe])
    symlinkSync('precious', link)

    for (const [file, kind] of [
      [pipe, 'a device, pipe or socket'],
      [link, 'a link'],
    ] as const) {
      expect(await app.tasks(...WORKER, '--health-file', file)).toEqual({
        code: 2,
        stdout: '',
        stderr: `error: argument --health-file: ${file} is ${kind}, and would be replaced. Give a path where nothing is, or a file, such as /tmp/tasks.json.\n`,
      })
      expect(lstatSync(file).isFile()).toBe(false)
    }
  })

  it('names a file that cannot be written, before the app is loaded', async () => {
    const app = await cliApp({ files: { 'ormconfig.js': `throw new Error('loaded')` } })
    mkdirSync(join(app.root, 'folder'))
    mkdirSync(join(app.root, 'folder/in'))
    const nowhere = join(app.root, 'none/health.json')
    const hint = 'Give a file in a folder that this user may write to, such as /tmp/tasks.json.\n'

    expect((await app.tasks(...WORKER, '--health-file', nowhere)).stderr).toBe(
      `error: argument --health-file: the folder of ${nowhere} is not there. ${hint}`,
    )
    const folder = join(app.root, 'folder')
    expect(await app.tasks(...WORKER, '--health-file', folder, '--processes', '2')).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: argument --health-file: ${folder} is a folder, and would be replaced. Give a path where nothing is, or a file, such as /tmp/tasks.json.\n`,
    })
    if (process.getuid?.() === 0) return
    chmodSync(folder, 0o500)
    expect((await app.tasks(...WORKER, '--health-file', join(folder, 'f'))).stderr).toContain(
      'cannot be written (EACCES)',
    )
  })
})

const REPORT = { live: true, ready: true, started: true, problems: [], state: 'running' }

/** Runs the command in a folder that holds no app. */
function emptyApp(files: Record<string, string>) {
  const root = appOf(files)
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [BIN, ...args], { cwd: root, encoding: 'utf8' })
  return Object.assign(run, { path: (name: string) => join(root, name) })
}

describe('npx tasks health', () => {
  it('loads nothing of the app, and not TypeORM', () => {
    const root = appOf({
      'ormconfig.js': `throw new Error('loaded')`,
      'look.cjs': `process.on('exit', () => console.error(Object.keys(require.cache).join('\\n')))`,
      'health.json': JSON.stringify(REPORT),
    })

    const { status, stderr } = spawnSync(
      process.execPath,
      ['-r', './look.cjs', BIN, 'health', '--file', 'health.json'],
      { cwd: root, encoding: 'utf8' },
    )

    expect(status).toBe(0)
    expect(stderr).toContain('/cli/commands/health.js')
    expect(
      stderr
        .split('\n')
        .filter((file) => /typeorm\/|class-validator|ormconfig|\/backends\//.test(file)),
    ).toEqual([])
  })

  it.each([
    ['live', { ...REPORT, live: false, ready: false }, 'the worker is not live. Because.'],
    ['ready', { ...REPORT, ready: false }, 'the worker is not ready. Because.'],
    ['STARTED', { ...REPORT, started: false }, 'the worker is not started. Because.'],
  ])('--probe %s exits with 1 and says why', async (probe, report, why) => {
    const app = emptyApp({ 'health.json': JSON.stringify({ ...report, problems: ['Because.'] }) })

    const told = app('health', '--file', 'health.json', '--probe', probe)

    expect([told.status, told.stderr]).toEqual([1, `error: ${why}\n`])
    expect(JSON.parse(told.stdout)).toEqual({ ...report, problems: ['Because.'] })
  })

  it('reads what is no report, and asks what is no worker, with an error that says what to give', async () => {
    const app = emptyApp({ 'health.json': '{"live": true}' })
    const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const cli = await cliApp()

    expect(app('health', '--file', 'health.json').stderr).toBe(
      'error: health.json holds no report of a worker. Give the file that db_worker has as --health-file.\n',
    )
    expect(await cli.tasks('health', '--port', String(port))).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: http://127.0.0.1:${port}/livez is not of a worker. Give the port that db_worker has as --health-port.\n`,
    })
    server.close()
    const free = await freePort()
    expect((await cli.tasks('health', '--port', String(free))).stderr).toContain(
      `http://127.0.0.1:${free}/livez does not answer (ECONNREFUSED). The worker does not run`,
    )
  })

  it('needs a port or a file, and not both', async () => {
    const app = emptyApp({})

    expect([app('health').status, app('health').stderr]).toEqual([
      2,
      'error: expected --port or --file. Give the one that db_worker has as --health-port or --health-file.\n',
    ])
    expect(app('health', '--port', '1', '--file', 'x').status).toBe(2)
  })
})

describe('with --processes', () => {
  const FLEET = ['--processes', '2']

  it('each process counts: one that stands still is not live', async () => {
    const { app, probes, running } = await worker(...FLEET)
    await becomes(probes, 200, 200, 200)
    const report = await probes.report()
    expect(report['workers']).toMatchObject([
      { name: 'Worker w-1', workerId: 'w-1', live: true, ready: true },
      { name: 'Worker w-2', workerId: 'w-2', live: true, ready: true },
    ])
    const pid = await pidOfOne(app)

    process.kill(pid, 'SIGSTOP')
    await becomes(probes, 503, 503, 200)
    const { problems } = await probes.report()
    process.kill(pid, 'SIGCONT')
    await becomes(probes, 200, 200, 200)

    expect(problems).toEqual([
      expect.stringMatching(/^Worker w-\d: Its process has said nothing for \d+ s\.$/),
    ])
    running.kill('SIGTERM')
    expect(await running.exited).toEqual({ code: 0, signal: null })
  })

  it('one that dies again and again keeps the others live, and the whole from being ready', async () => {
    const { app, probes, running } = await worker(...FLEET, '--concurrency', '1')
    await becomes(probes, 200, 200, 200)
    app.write('broken', '')
    await until(
      async () => {
        if (/Worker w-2 .* a replacement starts/.test(running.log)) return true
        if ((await probes.all())[1] === 200) await app.enqueue('app.kill')
        await sleep(300)
        return false
      },
      () => `worker 2 to die: ${running.log}`,
    )
    await running.says('the app is broken', 3)

    for (let look = 0; look < 10; look++) {
      expect(await probes.all()).toEqual([200, 503, 503])
      await sleep(100)
    }
    expect((await probes.report()).problems).toEqual([
      expect.stringMatching(
        /^Worker w-2: (Its process has ended, and is replaced|It is starting)\.$/,
      ),
    ])

    app.remove('broken')
    await becomes(probes, 200, 200, 200)
    running.kill('SIGTERM')
    await running.exited
  })

  it('is live and not ready while it stops, and the file says the same', async () => {
    const file = join(appOf({}), 'health.json')
    const { app, probes, running } = await worker(...FLEET, '--health-file', file)
    await becomes(probes, 200, 200, 200)
    await app.enqueue('app.sleep', [[4_000]])
    await running.says('state=RUNNING')

    running.kill('SIGTERM')
    await running.says('stopping all workers')

    expect((await probes.all()).slice(0, 2)).toEqual([200, 503])
    await sleep(2_500)
    const live = await app.tasks('health', '--file', file)
    const ready = await app.tasks('health', '--file', file, '--probe', 'ready')
    expect([live.code, ready.code]).toEqual([0, 1])
    expect(ready.stderr).toMatch(/^error: the worker is not ready\. It is stopping\./)
    expect(await running.exited).toEqual({ code: 0, signal: null })
    expect(existsSync(file)).toBe(false)
  })
})

/** The process of the worker that runs the next task. */
async function pidOfOne(app: CliApp): Promise<number> {
  const [id = ''] = await app.enqueue('app.pid')
  await until(
    async () => (await app.row(id)).status === 'SUCCESSFUL',
    () => 'the id of a process',
  )
  return (await app.row(id)).returnValue as number
}
