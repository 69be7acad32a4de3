import { spawnSync } from 'node:child_process'
import { appOf } from '../support/temp-app'
import { typeormEnv } from '../support/typeorm'

jest.setTimeout(60_000)

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
