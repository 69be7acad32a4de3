import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cliApp, Program, until, type CliApp } from '../support/cli-app'

jest.setTimeout(180_000)

const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.1']
const OURS = ['typeorm', 'reflect-metadata', 'better-sqlite3']
const installed = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-nest-')))

beforeAll(() => {
  const packages = ['@nestjs/common@11', '@nestjs/core@11', '@nestjs/typeorm@11', 'rxjs@7']
  const options = ['--prefer-offline', '--legacy-peer-deps', '--no-audit', '--no-fund']
  execFileSync('npm', ['install', '--prefix', installed, ...options, ...packages], {
    stdio: 'ignore',
  })
  for (const name of OURS) {
    rmSync(join(installed, 'node_modules', name), { recursive: true, force: true })
    symlinkSync(
      join(__dirname, '../../node_modules', name),
      join(installed, 'node_modules', name),
      'junction',
    )
  }
})

afterAll(() => rmSync(installed, { recursive: true, force: true }))

const DATA_SOURCE = `
  require('reflect-metadata')
  const { join } = require('node:path')
  const { Module } = require('@nestjs/common')
  const { NestFactory } = require('@nestjs/core')
  const { TypeOrmModule } = require('@nestjs/typeorm')
  const { DataSource } = require('typeorm')
  const { DBTaskResult } = require('typeorm-tasks')
  class Closing {
    async onModuleDestroy() { await new Promise((wake) => setTimeout(wake, 50)) }
    onApplicationShutdown(signal) { console.error('Nest is shut down by ' + signal) }
  }
  class AppModule {}
  const database = TypeOrmModule.forRoot({ type: 'better-sqlite3', database: join(__dirname, 'app.sqlite'), enableWAL: true, entities: [DBTaskResult] })
  Module({ imports: [database], providers: [Closing] })(AppModule)
  const app = NestFactory.createApplicationContext(AppModule, { logger: false })
  exports.dataSource = app.then((made) => made.get(DataSource))
  exports.TASKS = { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [] } }`

const TASKS = `
  const { task } = require('typeorm-tasks')
  const { dataSource } = require('./ormconfig')
  task('app.slow', async (ms) => {
    await new Promise((wake) => setTimeout(wake, ms))
    const [row] = await (await dataSource).query('SELECT 42 AS answer')
    return row.answer
  })`

const HOOKS = `app.then((made) => made.enableShutdownHooks())`

async function nestApp(more: string, files: Record<string, string> = {}): Promise<CliApp> {
  const app = await cliApp({
    files: { 'ormconfig.js': `${DATA_SOURCE}\n${more}`, 'tasks.js': TASKS, ...files },
  })
  const modules = join(installed, 'node_modules')
  for (const name of readdirSync(modules))
    if (!OURS.includes(name) && !name.startsWith('.'))
      symlinkSync(join(modules, name), join(app.root, 'node_modules', name), 'junction')
  return app
}

describe('db_worker with an app of Nest', () => {
  it.each([
    ['its shutdown hooks', HOOKS, 'SIGTERM', 'SIGTERM'],
    ['its shutdown hooks', HOOKS, 'SIGHUP', 'SIGHUP'],
    ['its context', `exports.app = app`, 'SIGTERM', 'undefined'],
    ['both', `${HOOKS}; exports.app = app`, 'SIGINT', 'undefined'],
    [
      'a function close',
      `${HOOKS}; exports.close = async () => (await app).close('close()')`,
      'SIGTERM',
      'close()',
    ],
  ] as const)(
    'that has %s closes it when the tasks have finished: %s, %s',
    async (_, more, signal, by) => {
      const app = await nestApp(more)
      const [id, short] = await app.enqueue('app.slow', [[1_000], [1]])
      const worker = app.start(...WORKER)
      await worker.says(`id=${short} path=app.slow state=SUCCESSFUL`)

      worker.kill(signal)

      expect(await worker.exited).toEqual({ code: 0, signal: null })
      expect(await app.row(id!)).toMatchObject({ status: 'SUCCESSFUL', returnValue: 42 })
      expect(worker.log.match(/Nest is shut down by .*/g)).toEqual([`Nest is shut down by ${by}`])
      expect(worker.log.indexOf('Nest is shut down')).toBeGreaterThan(
        worker.log.indexOf(`id=${id} path=app.slow state=SUCCESSFUL`),
      )
    },
  )

  it('gives back what has not finished in time, and closes it after a batch and at an error of close', async () => {
    const app = await nestApp(`${HOOKS}; exports.app = app`)
    const [id] = await app.enqueue('app.slow', [[20_000]])
    const worker = app.start(...WORKER, '--shutdown-timeout', '0.1')
    await worker.says(`id=${id} path=app.slow state=RUNNING`)

    worker.kill('SIGTERM')

    expect(await worker.exited).toEqual({ code: 1, signal: null })
    expect(await app.row(id!)).toMatchObject({ status: 'READY', attemptErrors: null })
    expect(worker.log).toContain('Nest is shut down by')

    const check = await app.tasks('check')
    expect(check.stderr).toBe('Nest is shut down by undefined\n')
    app.write(
      'ormconfig.js',
      `${DATA_SOURCE}\nexports.close = async () => { throw new Error('no') }`,
    )
    expect(await app.tasks('check')).toMatchObject({
      code: 0,
      stderr: `close() of ${app.root}/ormconfig.js has failed: Error: no\n`,
    })
  })
})

const SERVER = `
  const { configureTasks, setLogger, startWorker } = require('typeorm-tasks')
  const { app, dataSource, TASKS } = require('./ormconfig')
  require('./tasks')
  const main = async () => {
    configureTasks({ default: { ...TASKS.default, OPTIONS: { dataSource: await dataSource } } })
    setLogger(console)
    const worker = await startWorker({ interval: 100 })
    process.once('SIGTERM', () => worker.stop())
  }
  void main()`

it.each([
  ['before', SERVER.replace('main = async () => {', `$& (await app).enableShutdownHooks();`)],
  ['after', `${SERVER}.then(async () => (await app).enableShutdownHooks())`],
])(
  "a worker in the app's own process gives its rows back when Nest ends the process, hooks added %s",
  async (_, server) => {
    const app = await nestApp(`exports.app = app`, { 'server.js': server })
    const [id] = await app.enqueue('app.slow', [[20_000]])
    const program = new Program(app.root, 'server.js', [])
    await until(
      async () => (await app.row(id!)).status === 'RUNNING',
      () => `a run: ${program.log}`,
    )

    program.kill('SIGTERM')

    expect(await program.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(program.log).toContain('Nest is shut down by SIGTERM')
    expect(await app.row(id!)).toMatchObject({ status: 'READY', workerIds: [], leaseUntil: null })
  },
)
