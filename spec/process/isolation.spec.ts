import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { configureTasks } from 'typeorm-tasks'
import { task } from '#define'
import { InvalidSettingsError, InvalidTaskError, NotSerializableError } from '#errors'
import type { IsolationOptions } from '#isolation-options'
import { ownArguments } from '#child-process'
import { settingsOf } from '#worker-options'
import { appOf } from '../support/temp-app'
import { typeormEnv } from '../support/typeorm'

jest.setTimeout(60_000)

/** An app's module in either kind of module: what it exports follows. */
const SETUP = `
  const { join } = process.getBuiltinModule('node:path')
  const dataSource = new DataSource({ type: 'better-sqlite3', database: join(process.cwd(), 'app.sqlite'), enableWAL: true, entities: [DBTaskResult] })
  configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })
  let prepared = {}
  const prepare = async (options) => {
    prepared = options
    await dataSource.initialize()
    return () => console.log('left in order')
  }
  const parent = process.env.SPEC_PARENT
  const tasks = [task('lib.where', () => ({ ...prepared, isApart: String(process.pid) !== parent }), { isolate: true })];
`

describe('the option of a task', () => {
  it("is true or false, and is the task's own, not an enqueue's", () => {
    expect(() => task('apart.odd', () => {}, { isolate: 1 as never })).toThrow(InvalidTaskError)
    const usual = task('apart.usual', () => {})
    expect([
      usual.isolate,
      task('apart.apart', () => {}, { isolate: true }).using({ priority: 1 }).isolate,
    ]).toEqual([false, true])
    expect(() => usual.using({ isolate: true } as object)).toThrow('unknown option "isolate"')
  })

  it('changes nothing where there is no worker: the Immediate backend and call run it in place, the Dummy keeps its order', async () => {
    const apart = task('apart.pid', () => process.pid, { isolate: true })
    configureTasks({
      default: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' },
      dummy: { BACKEND: 'typeorm-tasks/backends/dummy#DummyBackend' },
    })

    expect((await apart.enqueue()).returnValue).toBe(process.pid)
    expect(await apart.call()).toBe(process.pid)
    expect((await apart.using({ backend: 'dummy' }).enqueue()).status).toBe('READY')
  })
})

describe('the option of a worker', () => {
  const wrong: [string, unknown, new (...given: never[]) => Error, string][] = [
    [
      'a relative path',
      { module: './tasks.js' },
      InvalidSettingsError,
      "Worker, isolation.module: expected an absolute path or a file: URL, got './tasks.js'.",
    ],
    [
      'no module',
      {},
      InvalidSettingsError,
      'isolation.module: expected an absolute path or a file: URL, got undefined.',
    ],
    [
      'a file that is not there',
      { module: '/no/such/tasks.js' },
      InvalidSettingsError,
      '/no/such/tasks.js does not exist.',
    ],
    ['an unknown key', { modul: __filename }, InvalidSettingsError, 'Did you mean "module"?'],
    [
      'options that JSON cannot carry',
      { module: __filename, options: { since: new Date(0) } },
      NotSerializableError,
      'isolation.options.since',
    ],
  ]
  it.each(wrong)('is refused with %s', (_, isolation, kind, told) => {
    const given = (): unknown => settingsOf({ isolation: isolation as IsolationOptions })
    expect(given).toThrow(kind)
    expect(given).toThrow(told)
  })

  it('takes a path, and a URL as import.meta.url is', () => {
    expect(settingsOf({ isolation: { module: __filename } }).isolation).toEqual({
      module: __filename,
      options: 'null',
    })
    expect(
      settingsOf({ isolation: { module: pathToFileURL(__filename).href, options: [1] } }).isolation,
    ).toEqual({ module: __filename, options: '[1]' })
    expect(settingsOf({}).isolation).toBeNull()
  })
})

it('a child is started with the options of node, but for a debugger and a script of the command line', () => {
  expect(
    ownArguments([
      '--max-old-space-size=64',
      '--inspect=9229',
      '-r',
      'ts-node/register',
      '-e',
      'startWorker()',
    ]),
  ).toEqual(['--max-old-space-size=64', '-r', 'ts-node/register'])
})

describe("a worker in the app's own process", () => {
  const names = '{ DataSource }',
    ours = '{ configureTasks, DBTaskResult, task, startWorker }',
    given = '{ prepare, dataSource, tasks }'
  const commonJs = (body = ''): string =>
    `const ${names} = require('typeorm'); const ${ours} = require('typeorm-tasks'); ${SETUP} Object.assign(exports, ${given}); ${body}`
  const esModule = `import ${names} from 'typeorm'; import ${ours} from 'typeorm-tasks'; await null; ${SETUP} export ${given}`
  const kinds = [
    ['CommonJS', 'tasks.js', commonJs()],
    ['ES modules', 'tasks.mjs', esModule],
  ] as const
  it.each(kinds)(
    'runs isolated tasks in children that load a module of it (%s), and ends by itself, they in order',
    async (_, file, text) => {
      const told = await run(
        file,
        text,
        `isolation: { module: MODULE, options: { greeting: 'hello' } }`,
      )

      expect(told).toMatchObject({ code: 0, stderr: '' })
      expect(told.results).toEqual([
        ['SUCCESSFUL', { greeting: 'hello', isApart: true }],
        ['SUCCESSFUL', { greeting: 'hello', isApart: true }],
      ])
      expect(told.stdout.match(/left in order/g)).toHaveLength(1)
    },
  )

  it('passes the middleware that its module sets, in the child', async () => {
    const wrapped = `require('typeorm-tasks').setMiddleware([{
      run: async (context, next) => ({ ...(await next()), attempt: context.attempt, isWrappedApart: process.env.SPEC_PARENT !== String(process.pid) }),
    }])`
    const { results } = await run('tasks.js', commonJs(wrapped), 'isolation: { module: MODULE }')

    const value = { isApart: true, attempt: 1, isWrappedApart: true }
    expect(results).toEqual([
      ['SUCCESSFUL', value],
      ['SUCCESSFUL', value],
    ])
  })

  const failures: [string, string, string, string, string][] = [
    [
      'that was told of no module fails them, and does not run them in its own process',
      '',
      '',
      'typeorm_tasks.NotSupportedError',
      'Task "lib.where" is isolated, and this worker has no child processes to run it in.',
    ],
    [
      'whose module does not load fails them with the reason',
      `if (process.send) throw new RangeError('no such thing')`,
      'isolation: { module: MODULE }',
      'typeorm_tasks.LoadError',
      'RangeError: no such thing',
    ],
    [
      'whose module starts a worker fails them: a child has none',
      `if (process.send) exports.prepare = () => startWorker()`,
      'isolation: { module: MODULE }',
      'typeorm_tasks.LoadError',
      'A worker cannot be started in the child process of an isolated task.',
    ],
    [
      'whose module ends the process fails them',
      `if (process.send) process.exit(3)`,
      'isolation: { module: MODULE }',
      'typeorm_tasks.ProcessLost',
      'exit code 3',
    ],
  ]
  it.each(failures)('%s', async (_, body, options, kind, told) => {
    const { code, results } = await run('tasks.js', commonJs(body), options)

    expect(code).toBe(0)
    expect(results.map(([status, of]) => [status, of])).toEqual([
      ['FAILED', kind],
      ['FAILED', kind],
    ])
    expect(results[0]![2]).toContain(told)
  })
})

type Result = [status: string, valueOrClass: unknown, traceback?: string]

/** Runs the task twice in a worker of an app's own process. */
async function run(
  file: string,
  text: string,
  options: string,
): Promise<{ code: number | null; stdout: string; stderr: string; results: Result[] }> {
  const main = `
    import { runUntilEmpty } from 'typeorm-tasks'
    process.env.SPEC_PARENT = String(process.pid)
    const MODULE = new URL('./${file}', import.meta.url).href
    const loaded = await import(MODULE)
    const { dataSource, tasks } = loaded.default ?? loaded
    dataSource.setOptions({ synchronize: true })
    await dataSource.initialize()
    const results = await tasks[0].enqueueMany([[], []])
    await runUntilEmpty({ concurrency: 1, ${options} })
    for (const result of results) await result.refresh()
    console.log('RESULTS' + JSON.stringify(results.map((each) => each.status === 'SUCCESSFUL' ? [each.status, each.returnValue] : [each.status, each.errors[0].exceptionClassPath, each.errors[0].traceback])))
    await dataSource.destroy()
  `
  const root = appOf(
    { [file]: text, 'main.mjs': main },
    { 'typeorm-tasks': '..', 'better-sqlite3': 'better-sqlite3' },
  )
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, 'main.mjs')],
      { cwd: root, env: typeormEnv(), timeout: 30_000 },
      (_, stdout, stderr) => {
        resolve({
          code: child.exitCode,
          stdout,
          stderr,
          results: JSON.parse(
            /RESULTS(.*)/.exec(stdout)?.[1] ?? JSON.stringify([[stderr]]),
          ) as Result[],
        })
      },
    )
  })
}
