import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { appOf } from '../support/temp-app'
import { typeormEnv } from '../support/typeorm'

jest.setTimeout(120_000)

/** The app's module, which the worker and its child processes load. */
const TASKS = `
  const { existsSync, writeFileSync } = require('node:fs')
  const { join } = require('node:path')
  const { DataSource } = require('typeorm')
  const { AsyncLocalStorage } = require('node:async_hooks')
  const { configureTasks, DBTaskResult, DoNotRetry, task } = require('typeorm-tasks')
  const at = (file) => join(process.cwd(), file)
  const dataSource = new DataSource({ type: 'better-sqlite3', database: at('app.sqlite'), enableWAL: true, entities: [DBTaskResult] })
  configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })
  const prepare = async () => {
    const trouble = process.env.SPEC_TROUBLE
    if (trouble && !existsSync(at('repaired'))) {
      if (trouble === 'kill') process.kill(process.pid, 'SIGKILL')
      throw Object.assign(new Error('sorry, too many clients already'), { code: trouble })
    }
    await dataSource.initialize()
  }
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  const apart = (name, run, options = {}) => task('apart.' + name, run, { isolate: true, ...options })
  const tenant = new AsyncLocalStorage()
  const look = (name) => {
    const found = tenant.getStore() ?? null
    tenant.enterWith(name)
    return found
  }
  const told = { exceptionClassPath: 'Error', traceback: 'Error\\n' }
  const failure = { status: 'FAILED', error: told, delay: null, isDueToStop: false }
  const broken = class extends DoNotRetry { get cause() { throw new Error('no cause') } }
  const tasks = {
    send: apart('send', async (message, code) => {
      process.send(message)
      await sleep(300)
      if (code !== undefined) process.exit(code)
      await sleep(2_000)
      return 'went on'
    }),
    where: apart('where', () => process.pid),
    tenant: apart('tenant', look),
    once: apart('once', async (file, ms = 100) => {
      const times = existsSync(at(file)) ? 2 : 1
      writeFileSync(at(file), '')
      await sleep(ms)
      return times
    }),
    listeners: apart('listeners', ({ signal }) => {
      for (let i = 0; i < 20; i++) signal.addEventListener('abort', () => {})
    }, { takesContext: true }),
    cause: task('here.cause', () => { throw new broken('final') }),
    nothing: task('here.nothing', () => {}),
    told, failure, sleep,
  }
  Object.assign(exports, { dataSource, prepare, tasks })
`

interface Row {
  status: string
  value: unknown
  error: string | null
  line: string | null
  attempts: number
  claims: number
}

/** Runs a program beside the app's module; gives what it says, and how it ended. */
async function run(
  body: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; stderr: string; said: unknown }> {
  const main = `
    const { startWorker, runUntilEmpty, DBTaskResult } = require('typeorm-tasks')
    const { writeFileSync } = require('node:fs')
    const MODULE = require.resolve('./tasks.js')
    const { dataSource, tasks } = require(MODULE)
    const isolation = { module: MODULE }
    async function rowOf(result) {
      await result.refresh()
      const { status, errors, attempts, dbResult } = result
      const [error] = errors
      return { status, value: status === 'SUCCESSFUL' ? result.returnValue : null, error: error?.exceptionClassPath ?? null,
        line: error?.traceback.split('\\n')[0] ?? null, attempts, claims: dbResult.claims }
    }
    const finished = (results) => Promise.all(results.map((result) => result.wait({ timeout: 60_000 }).then(rowOf)))
    async function main() {
      dataSource.setOptions({ synchronize: true })
      await dataSource.initialize()
      ${body}
      await dataSource.destroy()
    }
    main()
  `
  const root = appOf(
    { 'tasks.js': TASKS, 'main.js': main },
    { 'typeorm-tasks': '..', 'better-sqlite3': 'better-sqlite3' },
  )
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, 'main.js')],
      { cwd: root, env: { ...typeormEnv(), ...env }, timeout: 90_000 },
      (_, stdout, stderr) => {
        const said = /SAID(.*)/.exec(stdout)?.[1]
        resolve({
          code: child.exitCode,
          stderr,
          said: said === undefined ? stderr : (JSON.parse(said) as unknown),
        })
      },
    )
  })
}

describe('what an isolated task sends in the form of a message of ours', () => {
  const failure = `{ status: 'FAILED', error: tasks.told, delay: null, isDueToStop: false }`
  const messages: [string, string][] = [
    ['an end without an outcome', `[{ typeormTasks: 'ended' }]`],
    ['a broken app without an error', `[{ typeormTasks: 'broken' }]`],
    ['a fault without an error, and an exit', `[{ typeormTasks: 'fault', error: {} }, 3]`],
    [
      'a return value that is no JSON',
      `[{ typeormTasks: 'ended', runOutcome: { status: 'SUCCESSFUL', returnValue: 'no json' } }]`,
    ],
    [
      'an endless delay',
      `[{ typeormTasks: 'ended', runOutcome: { ...${failure}, delay: 1e300 } }]`,
    ],
    ['the outcome of its run', `[{ typeormTasks: 'ended', runOutcome: ${failure} }]`],
    ['progress without numbers', `[{ typeormTasks: 'progress', progress: { done: 'much' } }]`],
    ['a second beginning', `[{ typeormTasks: 'began' }]`],
    ['what nobody knows', `[{ typeormTasks: ['x'.repeat(100_000)] }]`],
  ]

  it('ends its process and fails it alone', async () => {
    const { code, stderr, said } = await run(`
      const guilty = await tasks.send.enqueueMany([${messages.map(([, message]) => message).join(', ')}])
      const innocent = await tasks.once.enqueueMany([['a'], ['b'], ['c']])
      const cause = await tasks.cause.enqueue()
      const other = await tasks.send.enqueue({ of: 'the task itself' })
      const worker = await startWorker({ isolation, interval: 20, concurrency: 3 })
      const said = { guilty: await finished(guilty), innocent: await finished(innocent), cause: await finished([cause]), other: await finished([other]) }
      await worker.stop()
      console.log('SAID' + JSON.stringify(said))
    `)

    const { guilty, innocent, cause, other } = said as Record<string, Row[]>
    expect({ code, fatal: /Uncaught|throw/.test(stderr) }).toEqual({ code: 0, fatal: false })
    expect(
      guilty!.map(({ status, error, attempts }, i) => [messages[i]![0], status, error, attempts]),
    ).toEqual(messages.map(([what]) => [what, 'FAILED', 'typeorm_tasks.ProcessLost', 1]))
    for (const { line } of guilty!)
      expect(line).toMatch(/SIGKILL, after a message that is none of the library's/)
    // A row that had to wait a second may have been given back, and claimed once more.
    expect(innocent!.map(({ value, attempts }) => [value, attempts])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ])
    expect(cause![0]).toMatchObject({ status: 'FAILED', attempts: 1 })
    expect(other![0]).toMatchObject({ status: 'SUCCESSFUL', value: 'went on' })
  })
})

it('a run in a child process sees nothing of the run before it, and may have many listeners to its signal', async () => {
  const { said, stderr } = await run(`
    const results = await tasks.tenant.enqueueMany([['a'], ['b'], ['c']])
    results.push(await tasks.listeners.enqueue())
    await runUntilEmpty({ isolation, concurrency: 1 })
    console.log('SAID' + JSON.stringify(await finished(results)))
  `)

  expect((said as Row[]).map(({ status, value }) => [status, value])).toEqual([
    ['SUCCESSFUL', null],
    ['SUCCESSFUL', null],
    ['SUCCESSFUL', null],
    ['SUCCESSFUL', null],
  ])
  expect(stderr).not.toContain('MaxListeners')
})

describe('tasks whose process cannot be set up at present', () => {
  const troubles = ['53300', 'ER_CON_COUNT_ERROR', 'ECONNREFUSED', 'SQLITE_BUSY', 'kill']
  it.each(troubles)('are given back, and run when it can again: %s', async (trouble) => {
    const { code, said, stderr } = await run(
      `
      const results = await tasks.where.enqueueMany(Array.from({ length: 8 }, () => []))
      const worker = await startWorker({ isolation, interval: 20, concurrency: 2 })
      await tasks.sleep(2_500)
      const rows = await Promise.all(results.map(rowOf))
      const here = await tasks.nothing.enqueue()
      const beside = await finished([here])
      writeFileSync('repaired', '')
      const after = await finished(results)
      await worker.stop()
      console.log('SAID' + JSON.stringify({ rows, beside, after }))
    `,
      { SPEC_TROUBLE: trouble },
    )

    const { rows, beside, after } = said as Record<string, Row[]>
    expect(code).toBe(0)
    expect(rows!.map(({ error }) => error)).toEqual(rows!.map(() => null))
    expect(Math.max(...rows!.map(({ claims }) => claims))).toBeLessThanOrEqual(4)
    expect(beside![0]!.status).toBe('SUCCESSFUL')
    expect(after!.map(({ status, attempts, error }) => [status, attempts, error])).toEqual(
      after!.map(() => ['SUCCESSFUL', 1, null]),
    )
    expect(stderr).toContain('could not begin and is given back')
  })
})

it('a worker that stands still for longer than a run may take to begin does not run it a second time', async () => {
  const { said } = await run(`
    const childProcess = require('node:child_process')
    const { fork } = childProcess
    let stood = 0
    childProcess.fork = (...given) => {
      const child = fork(...given)
      const send = child.send
      child.send = function (message, ...rest) {
        // Right after the run was handed to its process.
        if (message.typeormTasks === 'run' && stood++ === 0)
          setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_500))
        return send.call(this, message, ...rest)
      }
      return child
    }
    const worker = await startWorker({ isolation, interval: 20, concurrency: 1 })
    const result = await tasks.once.using({ rerunAfterCrash: false }).enqueue('stood', 8_000)
    const rows = await finished([result])
    await worker.stop()
    console.log('SAID' + JSON.stringify({ rows, stood }))
  `)

  const { rows, stood } = said as { rows: Row[]; stood: number }
  expect(stood).toBe(1)
  expect(rows).toMatchObject([{ status: 'SUCCESSFUL', value: 1, attempts: 1, claims: 1 }])
})
