import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from '@swc/core'
import Database from 'better-sqlite3'
import { Program, until } from '../support/cli-app'
import { COMMONJS_APP, ESM_APP } from '../support/nest-apps'
import {
  asInstalled,
  installOnceInto,
  linkInto,
  runNode,
  tarball,
  temporaryFolder,
  versionOf,
  writeFiles,
} from '../support/packed'

jest.setTimeout(240_000)

const scratch = temporaryFolder('nestjs')
const BIN = 'node_modules/typeorm-tasks/dist/cli/index.js'
const MODULE = 'dist/app.module.js#AppModule'
const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.05', '--queue-name', '*']

const SHAPES = [
  {
    shape: 'CommonJS, Nest 11 and Express',
    files: COMMONJS_APP,
    type: 'commonjs',
    nest: '11',
    platform: 'express',
  },
  {
    shape: 'ES modules, Nest 12 and Fastify',
    files: ESM_APP,
    type: 'module',
    nest: '12',
    platform: 'fastify',
  },
] as const

const TYPEORMS = [asInstalled('typeorm'), `typeorm-0.3@npm:typeorm@${versionOf('typeorm-0.3')}`]

const APPS = SHAPES.flatMap((shape) =>
  (['1', '0.3'] as const).map((version) => ({ ...shape, version })),
)

const COMPILER = {
  target: 'es2022',
  module: 'nodenext',
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  types: ['node'],
}

describe.each(APPS)('an app of $shape, with TypeORM $version', (app) => {
  const { files, type, nest, platform } = app
  const folder = join(scratch, `${type}-${app.version}`)
  const env = { DATABASE: join(folder, 'app.sqlite'), NO_COLOR: '1' }
  const tasks = (...args: string[]) => runNode(folder, [BIN, ...args, '--nest', MODULE], env)
  const start = (args: string[], more = {}): Program =>
    new Program(folder, args[0]!, args.slice(1), { ...env, ...more })
  const rows = (): Row[] => rowsIn(env.DATABASE)

  beforeAll(() => {
    writeFiles(folder, {
      'package.json': { private: true, type },
      'tsconfig.json': { compilerOptions: COMPILER, include: ['src'] },
      ...Object.fromEntries(
        Object.entries(files).flatMap(([name, text]) => [
          [`src/${name}`, text],
          [`dist/${name.replace(/ts$/, 'js')}`, compiled(text, type)],
        ]),
      ),
    })
    installOnceInto(folder, [
      '--legacy-peer-deps',
      tarball(),
      ...TYPEORMS,
      ...['common', 'core', 'typeorm', `platform-${platform}`].map(
        (name) => `@nestjs/${name}@${nest}`,
      ),
      ...['rxjs', 'reflect-metadata', 'typeorm-transactional', '@types/node'].map(asInstalled),
    ])
    chooseTypeorm(folder, app.version)
    for (const name of ['better-sqlite3', '@swc/core', '@swc/counter', '@swc/types'])
      linkInto(folder, name)
    linkInto(folder, 'typescript')
  })

  it('has at most 15 lines for its tasks, and compiles', () => {
    const lines = Object.values(files).flatMap((text) => text.split('\n'))
    const glue = lines.filter((line) => line.endsWith('// glue'))
    const unmarked = lines.filter(
      (line) =>
        /typeorm-tasks|TasksModule|BACKEND|WORKER|childApp/.test(line) && !glue.includes(line),
    )
    expect(unmarked).toEqual([])
    expect(glue.length).toBeLessThanOrEqual(15)
    const { stdout } = runNode(folder, ['node_modules/typescript/bin/tsc', '-p', '.'])
    expect(stdout).toBe('')
  })

  it('enqueues in transactions, and runs with what providers inject, request-scoped ones anew', async () => {
    const server = start(['dist/main.js'], { WORKER: '1' })
    const url = await urlOf(server)
    const created = await post(url, 'users/Ann')
    expect(created.status).toBe(201)
    expect((await post(url, 'users/nobody')).status).toBe(500)
    await Promise.all([post(url, 'traced'), post(url, 'process')])
    await until(
      () => rows().every(({ status }) => status === 'SUCCESSFUL'),
      () => server.log,
    )

    expect(valuesOf(rows(), 'mail.welcome')).toEqual(['welcome, Ann'])
    const [first, second] = valuesOf(rows(), 'mail.traced')
    expect(first).not.toBe(second)
    const { task } = (await created.json()) as { task: string }
    expect(await (await fetch(`${url}/tasks/${task}`)).json()).toEqual({ status: 'SUCCESSFUL' })
    expect((await fetch(`${url}/tasks/019b0000-0000-7000-8000-000000000000`)).status).toBe(404)
    expect((await fetch(`${url}/admin/tasks/`)).status).toBe(200)
    expect(server.log).toMatch(/\[Tasks\].* state=SUCCESSFUL/)
    server.kill('SIGTERM')
    await server.exited
    expect(server.log).not.toContain('does not hear of SIGTERM')
  })

  it("ends with the app: at SIGTERM running tasks finish before Nest's hooks, and none is lost", async () => {
    clear(env.DATABASE)
    const server = start(['dist/main.js'], { WORKER: '1' })
    const url = await urlOf(server)
    for (let i = 0; i < 10; i++) await post(url, 'slow/1000')
    await until(
      () => rows().some(({ status }) => status === 'RUNNING'),
      () => server.log,
    )

    server.kill('SIGTERM')

    expect(await server.exited).toEqual({ code: null, signal: 'SIGTERM' })
    drainedThenClosed(server, rows())

    const { status } = tasks('db_worker', '--queue-name', '*', '--batch')
    expect(status).toBe(0)
    expect(new Set(rows().map((row) => row.status))).toEqual(new Set(['SUCCESSFUL']))
  })

  it('says so where the app does not hear of SIGTERM', async () => {
    const server = start(['dist/main.js'], { WORKER: '1', HOOKS: '0' })
    await server.says(
      'The app has a worker and does not hear of SIGTERM: running tasks are cut off there, and run again when their leases end. Add app.enableShutdownHooks() to main.ts.',
    )
    server.kill('SIGTERM')
    await server.exited
  })

  it('db_worker --nest does the same, in several processes and those of isolated tasks, too', async () => {
    clear(env.DATABASE)
    const server = start(['dist/main.js'])
    const url = await urlOf(server)
    for (let i = 0; i < 10; i++) await post(url, 'slow/800')
    server.kill('SIGTERM')
    await server.exited
    const worker = start([BIN, ...WORKER, '--nest', MODULE, '--concurrency', '5'])
    await worker.says('path=mail.slow state=RUNNING')

    worker.kill('SIGTERM')

    expect(await worker.exited).toEqual({ code: 0, signal: null })
    drainedThenClosed(worker, rows())

    for (const name of ['mail.traced', 'mail.process', 'mail.process']) tasks('enqueue', name)
    const two = start([BIN, ...WORKER, '--nest', MODULE, '--processes', '2'])
    await until(
      () => rows().every(({ status }) => status === 'SUCCESSFUL'),
      () => two.log,
    )
    two.kill('SIGTERM')
    expect(await two.exited).toEqual({ code: 0, signal: null })
    expect(valuesOf(rows(), 'mail.process')).toHaveLength(2)
    expect(tasks('check', '-v', '2').stdout).toBe(
      'task mail.process\ntask mail.slow\ntask mail.traced\ntask mail.welcome\nSystem check identified no issues (4 task(s), 1 backend(s)).\n',
    )
    expect(tasks('schedules').stdout).toBe('No schedules.\n')
  })

  if (type === 'commonjs')
    it('is loaded from its TypeScript sources, too', () => {
      const told = runNode(folder, [BIN, 'check', '--nest', 'src/app.module.ts'], env)
      expect(told).toMatchObject({
        status: 0,
        stdout: 'System check identified no issues (4 task(s), 1 backend(s)).\n',
      })
    })
})

/** Leaves one of both. */
function chooseTypeorm(folder: string, version: '1' | '0.3'): void {
  const [one, other] = ['typeorm', 'typeorm-0.3'].map((name) =>
    join(folder, 'node_modules', name),
  ) as [string, string]
  if (version === '1') return rmSync(other, { recursive: true })
  rmSync(one, { recursive: true })
  renameSync(other, one)
}

function compiled(text: string, type: 'commonjs' | 'module'): string {
  return transformSync(text, {
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    },
    module: { type: type === 'module' ? 'es6' : 'commonjs' },
  }).code
}

interface Row {
  readonly status: string
  readonly task: string
  readonly value: string | null
}

function rowsIn(database: string): Row[] {
  const opened = new Database(database)
  try {
    return opened
      .prepare('SELECT status, task_path AS task, return_value AS value FROM db_task_result')
      .all() as Row[]
  } finally {
    opened.close()
  }
}

function clear(database: string): void {
  new Database(database).exec('DELETE FROM db_task_result').close()
}

function valuesOf(rows: readonly Row[], name: string): unknown[] {
  return rows.filter(({ task }) => task === name).map(({ value }) => JSON.parse(value!) as unknown)
}

/** Those that ran have ended well, the others wait, and Nest was told afterwards. */
function drainedThenClosed({ log }: Program, rows: readonly Row[]): void {
  expect(rows).toHaveLength(10)
  expect(rows.filter(({ status }) => !['SUCCESSFUL', 'READY'].includes(status))).toEqual([])
  const ended = rows.filter(({ status }) => status === 'SUCCESSFUL').length
  expect(ended).toBeGreaterThan(0)
  expect(log.match(/slow has ended/g)).toHaveLength(ended)
  expect(log.indexOf('Nest destroys modules')).toBeGreaterThan(log.lastIndexOf('slow has ended'))
  expect(log.indexOf('Nest is shut down')).toBeGreaterThan(log.indexOf('Nest destroys modules'))
}

async function urlOf(server: Program): Promise<string> {
  await server.says(/listens at \S+\n/)
  return /listens at (\S+)/.exec(server.log)![1]!
}

function post(url: string, path: string): Promise<Response> {
  return fetch(`${url}/${path}`, { method: 'POST' })
}
