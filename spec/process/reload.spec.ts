import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cliApp, Running, TASKS_FILE, until } from '../support/cli-app'

const RELOADED = ['db_worker', '--reload', '--no-startup-delay', '--interval', '0.1']

function returning(value: number): string {
  return `${TASKS_FILE}\ntask('app.value', async () => ${value})`
}

it('runs what the source says now, after a change and after a syntax error was mended', async () => {
  const app = await cliApp({ files: { 'tasks.js': returning(1) } })
  const worker = app.start(...RELOADED)
  await worker.says('Starting worker')

  app.write('tasks.js', returning(2))
  await worker.says('tasks.js changed: restarting the worker')
  await worker.says('Starting worker', 2)
  app.write('tasks.js', 'const = 3')
  await worker.says(/error: .*tasks\.js does not load: SyntaxError/)
  await worker.says('it restarts at the next change')
  app.write('tasks.js', returning(4))
  await worker.says('Starting worker', 3)
  const [id] = await app.enqueue('app.value')
  await until(
    async () => (await app.row(id!)).status === 'SUCCESSFUL',
    () => 'the task',
  )

  expect((await app.row(id!)).returnValue).toBe(4)
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
})

it.each([
  ['one process', []],
  ['two processes', ['--processes', '2']],
])(
  'watches what is loaded of other packages, also what fails and what a task loads, with %s',
  async (_, more) => {
    const value = (n: number): string =>
      `exports.value = ${n}; require('typeorm-tasks').task('app.value', async () => (await import('@acme/late')).value + ${n})`
    const app = await cliApp({
      files: {
        'package.json': '{ "name": "root" }',
        'apps/web/package.json': '{ "name": "web" }',
        'apps/web/tasks.js': `require('@acme/jobs')`,
        'packages/jobs/package.json': '{ "name": "@acme/jobs", "main": "src/index.js" }',
        'packages/jobs/src/index.js': value(1),
        'packages/jobs/other.js': '',
        'packages/late/package.json':
          '{ "name": "@acme/late", "type": "module", "main": "index.js" }',
        'packages/late/index.js': 'export const value = 100',
      },
    })
    mkdirSync(join(app.root, 'node_modules/@acme'), { recursive: true })
    for (const name of ['jobs', 'late'])
      symlinkSync(
        join(app.root, 'packages', name),
        join(app.root, 'node_modules/@acme', name),
        'junction',
      )
    app.write('apps/web/data-source.js', `module.exports = require('../../ormconfig')`)
    const worker = app.start(...RELOADED, '-d', 'apps/web/data-source.js', ...more)
    const starts = (times: number): Promise<void> =>
      worker.says('Starting worker', times * (more.length === 0 ? 1 : 2))
    await starts(1)

    // The folder is watched a moment after the start, which is long on a busy machine.
    const change = setInterval(() => app.write('packages/jobs/src/index.js', value(2)), 1_000)
    await worker
      .says('packages/jobs/src/index.js changed: restarting the worker')
      .finally(() => clearInterval(change))
    await starts(2)
    app.write('packages/jobs/src/index.js', 'const = 3')
    await worker.says('it restarts at the next change')
    app.write('packages/jobs/other.js', '//')
    app.write('packages/jobs/src/index.js', value(4))
    await starts(3)
    const [id] = await app.enqueue('app.value')
    await until(
      async () => (await app.row(id!)).status === 'SUCCESSFUL',
      () => worker.log,
    )
    expect((await app.row(id!)).returnValue).toBe(104)
    // What is loaded late is watched about a second later.
    for (let value = 200; value < 230 && !worker.log.includes('late/index.js changed'); value++) {
      app.write('packages/late/index.js', `export const value = ${value}`)
      await sleep(1_000)
    }
    expect(worker.log).toContain('packages/late/index.js changed: restarting the worker')

    expect(worker.log).not.toContain('other.js changed')
    worker.kill('SIGTERM')
    expect(await worker.exited).toEqual({ code: 0, signal: null })
  },
)

it('finishes a running task before the new worker starts', async () => {
  const app = await cliApp()
  const [id] = await app.enqueue('app.sleep', [[2_000]])
  const worker = app.start(...RELOADED)
  await worker.says(`id=${id} path=app.sleep state=RUNNING`)

  app.write('more.js', '')
  app.write('helper.js', '')
  await worker.says('Starting worker', 2)

  expect(worker.log).toMatch(/(helper|more)\.js and 1 more changed: restarting the worker\n/)
  expect(worker.log).toContain(
    'Received SIGTERM - shutting down gracefully...\nWaiting for 1 running task, at most 30 s\n',
  )
  expect(worker.log.indexOf('state=SUCCESSFUL')).toBeLessThan(
    worker.log.lastIndexOf('Starting worker'),
  )
  expect(await app.row(id!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
  worker.kill('SIGINT')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
})

it('does not start anew for databases, logs and what tasks write', async () => {
  const app = await cliApp()
  const worker = app.start(...RELOADED)
  await worker.says('Starting worker')

  for (const file of ['more.sqlite', 'out.log', 'report.json', '.env.js', 'node_modules/left.js'])
    app.write(file, '')
  app.write('seen.js', '')
  await worker.says('Starting worker', 2)

  expect(worker.log.match(/(\S+) changed/g)).toEqual(['seen.js changed'])
})

it('ends with 0 where a stop meets a process that has only begun', async () => {
  const app = await cliApp({
    files: {
      // A child says where it is, and stands still before it listens to signals.
      'boot.cjs': `
        const isSecond = process.argv.includes('--no-reload') && require('node:fs').existsSync('again')
        if (isSecond) {
          process.stderr.write('begins\\n')
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20_000)
        }`,
    },
  })
  const worker = new Running(app.root, RELOADED, { NODE_OPTIONS: '--require ./boot.cjs' })
  await worker.says('Starting worker')

  app.write('again', '')
  app.write('more.js', '')
  await worker.says('begins')
  worker.kill('SIGTERM')

  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(worker.log.match(/Starting worker/g)).toHaveLength(1)
})

it('does not outlive the process that watches', async () => {
  const app = await cliApp()
  const worker = app.start(...RELOADED)
  await worker.says('Starting worker')

  worker.kill('SIGKILL')

  await worker.says('The supervisor process is gone - shutting down gracefully')
  await worker.closed
})

it('is off in a batch, with a warning', async () => {
  const app = await cliApp()

  const { code, stderr } = await app.tasks('db_worker', '--reload', '--batch', '--no-startup-delay')

  expect(code).toBe(0)
  expect(stderr.split('\n')[0]).toBe(
    'Warning: --reload and --batch cannot be specified together. Disabling autoreload.',
  )
})
