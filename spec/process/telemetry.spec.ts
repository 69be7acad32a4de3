import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cliApp, TASKS_FILE } from '../support/cli-app'
import { freePort } from '../support/servers/free-port'
import { appOf } from '../support/temp-app'
import { typeormEnv } from '../support/typeorm'

jest.setTimeout(60_000)

const BIN = join(__dirname, '../../dist/cli/index.js')

/** Ours, and what an app has of its own. */
const PACKAGES = {
  'typeorm-tasks': '..',
  'better-sqlite3': 'better-sqlite3',
  'prom-client': 'prom-client',
  ...Object.fromEntries(
    ['api', 'context-async-hooks', 'sdk-trace-base', 'sdk-metrics'].map((name) => [
      `@opentelemetry/${name}`,
      `@opentelemetry/${name}`,
    ]),
  ),
}

/** Each process writes its spans into one file. */
const TRACING = `
  const { appendFileSync } = require('node:fs')
  const { join } = require('node:path')
  const { context, trace } = require('@opentelemetry/api')
  const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks')
  const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base')
  const { instrument } = require('typeorm-tasks/opentelemetry')
  const file = join(__dirname, 'spans.jsonl')
  const exporter = {
    export(spans, done) {
      for (const span of spans) {
        const { name, attributes, parentSpanContext } = span
        const { traceId, spanId } = span.spanContext()
        appendFileSync(file, JSON.stringify({ pid: process.pid, name, attributes, traceId, spanId, parent: parentSpanContext?.spanId }) + '\\n')
      }
      done({ code: 0 })
    },
    shutdown: async () => {},
  }
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  instrument({ metrics: false })`

const TASKS = `
  require('./tracing.js')
  const { join } = require('node:path')
  const { DataSource } = require('typeorm')
  const { trace } = require('@opentelemetry/api')
  const { configureTasks, DBTaskResult, task } = require('typeorm-tasks')
  const dataSource = new DataSource({ type: 'better-sqlite3', database: join(__dirname, 'app.sqlite'), enableWAL: true, entities: [DBTaskResult] })
  configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })
  exports.dataSource = dataSource
  exports.prepare = () => dataSource.initialize().then(() => () => dataSource.destroy())
  exports.works = task('apart.works', () => { trace.getTracer('app').startSpan('inner').end(); return process.pid }, { isolate: true })
  exports.dies = task('apart.dies', () => process.kill(process.pid, 'SIGKILL'), { isolate: true })`

const MAIN = `
  const { dataSource, works, dies } = require('./tasks.js')
  const { runUntilEmpty } = require('typeorm-tasks')
  const { readFileSync } = require('node:fs')
  ;(async () => {
    await dataSource.initialize()
    await dataSource.synchronize()
    const results = [await works.enqueue(), await dies.enqueue()]
    await runUntilEmpty({ isolation: { module: require.resolve('./tasks.js') } })
    for (const result of results) await result.refresh()
    const spans = readFileSync('spans.jsonl', 'utf8').trim().split('\\n').map((line) => JSON.parse(line))
    console.log(JSON.stringify({ pid: process.pid, statuses: results.map((result) => result.status), spans }))
    await dataSource.destroy()
  })()`

interface Span {
  readonly pid: number
  readonly name: string
  readonly attributes: Record<string, unknown>
  readonly traceId: string
  readonly spanId: string
  readonly parent?: string
}

it("has spans of an isolated task's code within the span of its run, and ends that where the child process dies", () => {
  const root = appOf({ 'tracing.js': TRACING, 'tasks.js': TASKS, 'main.js': MAIN }, PACKAGES)
  const { stdout, stderr, status } = spawnSync(process.execPath, ['main.js'], {
    cwd: root,
    env: { ...process.env, ...typeormEnv() },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  const { pid, statuses, spans } = JSON.parse(stdout) as {
    pid: number
    statuses: string[]
    spans: Span[]
  }
  expect(statuses).toEqual(['SUCCESSFUL', 'FAILED'])

  const runs = spans.filter(({ name }) => name === 'process default')
  expect(runs.map((run) => run.pid)).toEqual([pid, pid])
  const run = runs.find(({ attributes }) => attributes['typeorm_tasks.task'] === 'apart.works')
  const lost = runs.find(({ attributes }) => attributes['typeorm_tasks.task'] === 'apart.dies')
  const inner = spans.find(({ name }) => name === 'inner')
  expect(inner?.pid).not.toBe(pid)
  expect(inner).toMatchObject({ traceId: run?.traceId, parent: run?.spanId })
  expect(lost?.attributes).toMatchObject({
    'typeorm_tasks.outcome': 'failed',
    'error.type': 'typeorm_tasks.ProcessLost',
  })
  expect(spans.map(({ name }) => name).toSorted()).toEqual([
    'inner',
    'process default',
    'process default',
    'send default',
    'send default',
  ])
})

it('makes nothing while there is no SDK, and spans once there is one', () => {
  const main = `
    const { instrument } = require('typeorm-tasks/opentelemetry')
    instrument()
    const { trace } = require('@opentelemetry/api')
    const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base')
    const { taskFacts, runUntilEmpty } = require('typeorm-tasks')
    const { dataSource, plain, optionsOf } = require('./tasks.js')
    ;(async () => {
      await dataSource.initialize()
      await dataSource.synchronize()
      const before = await plain.enqueue()
      trace.setGlobalTracerProvider(new BasicTracerProvider())
      const after = await plain.enqueue()
      await runUntilEmpty()
      const statuses = [(await before.refresh()).status, (await after.refresh()).status]
      console.log(JSON.stringify([await optionsOf(before), await optionsOf(after), statuses, taskFacts.isHeard]))
      await dataSource.destroy()
    })()`
  const tasks = `${TASKS.replace("require('./tracing.js')", '')}
    exports.plain = task('apart.plain', () => {})
    exports.optionsOf = async ({ id }) => (await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id })).options`
  const root = appOf({ 'tasks.js': tasks, 'main.js': main }, PACKAGES)
  const { stdout, stderr } = spawnSync(process.execPath, ['main.js'], {
    cwd: root,
    env: { ...process.env, ...typeormEnv() },
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toEqual([
    null,
    { trace: { traceparent: expect.stringMatching(/^00-[\da-f]{32}-[\da-f]{16}-01$/) } },
    ['SUCCESSFUL', 'SUCCESSFUL'],
    // Metrics have no such way to wait for an SDK.
    false,
  ])
})

describe('db_worker --metrics-port', () => {
  const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.1']

  async function scraped(port: number): Promise<{ status: number; type: string; text: string }> {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { connection: 'close' },
    })
    const type = response.headers.get('content-type') ?? ''
    return { status: response.status, type, text: await response.text() }
  }

  async function until(port: number, text: string): Promise<string> {
    for (let tries = 0; ; tries++) {
      // A port that nobody listens on yet has nothing to say.
      const found = await scraped(port).then((scrape) => scrape.text, String)
      if (found.includes(text)) return found
      if (tries === 100) throw new Error(`"${text}" is not in ${found}`)
      await sleep(100)
    }
  }

  /** The runs of `app.sleep` by the number of the process. */
  function doneIn(text: string): Map<number, number> {
    const found = text.matchAll(
      /^typeorm_tasks_runs_total\{.*task="app.sleep".*process="(\d)"\} (\d+)$/gm,
    )
    return new Map([...found].map(([, number, count]) => [Number(number), Number(count)]))
  }

  /** Collects until it finds what it looks for. */
  async function collectedUntil<T>(
    port: number,
    find: (text: string) => T | undefined,
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      const { text } = await scraped(port)
      const found = find(text)
      if (found !== undefined) return found
      if (tries === 200) throw new Error(text)
      await sleep(20)
    }
  }

  /** By process, once they are as many. */
  function done(port: number, count: number): Promise<Map<number, number>> {
    const sum = (counts: Map<number, number>): number =>
      [...counts.values()].reduce((all, each) => all + each, 0)
    return collectedUntil(port, (text) => (sum(doneIn(text)) === count ? doneIn(text) : undefined))
  }

  /** Which one of two processes is the first to be absent, and what is shown meanwhile. */
  function gone(port: number): Promise<{ number: number; text: string }> {
    return collectedUntil(port, (text) => {
      const number = [1, 2].find(
        (each) => !text.includes(`typeorm_tasks_slots{backend="default",process="${each}"}`),
      )
      return number === undefined ? undefined : { number, text }
    })
  }

  it('shows the metrics of the worker, beside its probes on one port, and those of the app', async () => {
    const port = await freePort()
    const app = await cliApp({
      files: {
        'tasks.js': `${TASKS_FILE}
          const { Counter, register: registry } = require('prom-client')
          require('typeorm-tasks/prometheus').register(registry)
          new Counter({ name: 'of_the_app', help: 'x' }).inc(3)`,
        'node_modules/prom-client/package.json': JSON.stringify({
          main: join(__dirname, '../../node_modules/prom-client/index.js'),
        }),
      },
      allTables: true,
    })
    await app.enqueue('app.add', [[1], [2], [3]])
    const running = app.start(
      ...WORKER,
      '--metrics-queues',
      '--health-port',
      String(port),
      '--metrics-port',
      String(port),
    )
    await running.says(`Metrics: http://127.0.0.1:${port}/metrics`)
    const text = await until(
      port,
      'typeorm_tasks_runs_total{queue="default",task="app.add",outcome="successful",error=""} 3\n',
    )
    expect(text).toContain('of_the_app 3\n')
    expect(text).toContain('typeorm_tasks_slots{backend="default"} 10\n')
    expect(text).toContain('typeorm_tasks_queue_due{backend="default",queue="default"} ')
    expect((await scraped(port)).type).toContain('text/plain; version=0.0.4')
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200)
    running.kill('SIGTERM')
    expect(await running.exited).toEqual({ code: 0, signal: null })
  })

  it("tells each process of a supervisor apart, whose counters never fall where another one's process dies or is silent", async () => {
    const port = await freePort()
    const app = await cliApp({
      files: {
        'tasks.js': `${TASKS_FILE}
          const { Gauge } = require('prom-client')
          new Gauge({ name: 'of_the_app', help: 'x', labelNames: ['process'], aggregator: 'omit' }).set({ process: 'mine' }, NaN)
          task('app.die', () => process.kill(process.pid, 'SIGKILL'))
          task('app.block', () => { const end = Date.now() + 4000; while (Date.now() < end); })`,
        'node_modules/prom-client/package.json': JSON.stringify({
          main: join(__dirname, '../../node_modules/prom-client/index.js'),
        }),
      },
      allTables: true,
    })
    const running = app.start(
      ...WORKER,
      '--processes',
      '2',
      '--concurrency',
      '1',
      '--metrics-port',
      String(port),
    )
    // The second process starts after the first one.
    await until(port, 'typeorm_tasks_slots{backend="default",process="2"} 1\n')
    const calls = Array.from({ length: 20 }, () => [50])
    await app.enqueue('app.sleep', calls)
    const before = await done(port, 20)
    const text = await until(port, 'of_the_app{exported_process="mine",process="2"} Nan\n')
    expect(text).toMatch(
      /^typeorm_tasks_run_seconds_bucket\{le="\+Inf",queue="default",task="app.sleep",error="",process="[12]"\} \d+$/m,
    )

    await app.enqueue('app.block', [[]])
    const silent = await gone(port)
    const others = [...before].filter(([number]) => number !== silent.number)
    expect([...doneIn(silent.text)]).toEqual(others)
    expect(await done(port, 20)).toEqual(before)

    await app.enqueue('app.die', [[]])
    const dead = await gone(port)
    const left = [...before].filter(([number]) => number !== dead.number)
    expect([...doneIn(dead.text)]).toEqual(left)
    const replaced = await until(
      port,
      `typeorm_tasks_slots{backend="default",process="${dead.number}"} 1\n`,
    )
    expect([...doneIn(replaced)]).toEqual(left)
    running.kill('SIGTERM')
    await running.exited
  })

  it('fails a collection that no process can answer, and each of them logs why', async () => {
    const port = await freePort()
    const app = await cliApp({
      files: {
        'tasks.js': `${TASKS_FILE}
          const { Gauge } = require('prom-client')
          new Gauge({ name: 'of_the_app', help: 'x', collect() { throw new Error('of the app') } })`,
        'node_modules/prom-client/package.json': JSON.stringify({
          main: join(__dirname, '../../node_modules/prom-client/index.js'),
        }),
      },
      allTables: true,
    })
    const running = app.start(...WORKER, '--processes', '2', '--metrics-port', String(port))
    await until(port, 'It has failed; the log of the process says why.')
    expect((await scraped(port)).status).toBe(500)
    await running.says('The metrics of this process cannot be collected: Error: of the app')
    running.kill('SIGTERM')
    await running.exited
  })

  it('refuses a port that is taken, before the app is loaded', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const app = await cliApp()
    const { code, stderr } = await app.tasks(...WORKER, '--metrics-port', String(port))
    taken.close()

    expect(code).toBe(2)
    expect(stderr).toBe(
      `error: argument --metrics-port: another program listens on port ${port} of 127.0.0.1. Give another one; 0 takes a free one.\n`,
    )
  })

  it.each([['--metrics-host', '0.0.0.0'], ['--metrics-queues']])(
    'refuses %s without it',
    async (option, ...value) => {
      const { code, stderr } = await (await cliApp()).tasks(...WORKER, option, ...value)

      expect(code).toBe(2)
      expect(stderr).toBe(
        `error: argument ${option}: only valid with --metrics-port. Add --metrics-port or remove ${option}.\n`,
      )
    },
  )

  it('tells which package is missing', async () => {
    const app = await cliApp({
      files: {
        // As if it were not installed.
        'missing.cjs': `
          const Module = require('node:module')
          const resolve = Module._resolveFilename
          Module._resolveFilename = (name, ...given) => {
            if (name !== 'prom-client') return resolve(name, ...given)
            throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
          }`,
      },
    })
    const { status, stderr } = spawnSync(
      process.execPath,
      ['-r', './missing.cjs', BIN, ...WORKER, '--metrics-port', '0'],
      { cwd: app.root, env: { ...process.env, ...typeormEnv() }, encoding: 'utf8' },
    )

    expect(status).toBe(2)
    expect(stderr).toBe(
      'error: argument --metrics-port: the package prom-client is not there. Install it: npm install prom-client.\n',
    )
  })
})
