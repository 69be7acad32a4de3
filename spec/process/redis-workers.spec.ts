import { configureTasks, group, remoteTask } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '../../lib/backend-registry'
import { cliApp, type CliApp } from '../support/cli-app'
import { findRedis, type RedisServer, startRedis } from '../support/servers/redis'
import { catchLog } from '../support/tasks'

const PREFIX = 'cli'
const TASKS = `
  const { schedule, task } = require('typeorm-tasks')
  const { appendFileSync } = require('node:fs')
  const on = { backend: 'fast' }
  task('app.add', async (a, b) => a + b, on)
  task('app.apart', async () => process.pid, { ...on, isolate: true })
  task('app.fail', async () => { throw new TypeError('broken') }, on)
  task('app.slow', async (value) => {
    await new Promise((wake) => setTimeout(wake, 20))
    return value
  }, on)
  task('app.sum', async (values) => values.length, on)
  const tick = task('app.tick', async () => {
    appendFileSync(require('node:path').join(__dirname, 'ticks'), '.')
  }, { ...on, queueName: 'mail' })
  schedule('app.each', tick, { every: 1_000 })`

const add = remoteTask<[number, number], number>('app.add', { backend: 'fast' })
const apart = remoteTask<[], number>('app.apart', { backend: 'fast' })
const fails = remoteTask<[], never>('app.fail', { backend: 'fast' })
const slow = remoteTask<[number], number>('app.slow', { backend: 'fast' })
const sum = remoteTask<[readonly number[]], number>('app.sum', { backend: 'fast' })

const run = findRedis() === undefined ? describe.skip : describe

run('workers of an app whose tasks are on Redis', () => {
  let server: RedisServer
  let app: CliApp

  beforeAll(async () => {
    catchLog()
    server = await startRedis()
    const options = `{ connection: '${server.url}', prefix: '${PREFIX}', leaseSeconds: 3 }`
    app = await cliApp({
      files: { 'tasks.js': TASKS },
      tasks: `{
        default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [] },
        fast: { BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend', QUEUES: ['default', 'mail'], OPTIONS: ${options} },
      }`,
    })
    configureTasks({
      fast: {
        BACKEND: BullMQBackend,
        QUEUES: ['default', 'mail'],
        OPTIONS: { connection: server.url, prefix: PREFIX },
      },
    })
  })
  afterAll(async () => {
    await backends.get('fast').close()
    await server.stop()
  })

  it('run tasks, isolated ones in child processes, and show what came of them', async () => {
    const results = [await add.enqueue(1, 2), await apart.enqueue(), await fails.enqueue()]
    const worker = app.start('db_worker', '--backend', 'fast', '--batch', '--no-schedules')
    expect((await worker.exited).code).toBe(0)

    const [added, isolated, failed] = await Promise.all(results.map((each) => each.refresh()))
    expect(added?.returnValue).toBe(3)
    expect(isolated?.status).toBe('SUCCESSFUL')
    expect(worker.log).not.toContain(`pid=${String(isolated?.returnValue)}`)
    expect(failed?.errors.at(-1)?.exceptionClassPath).toBe('TypeError')
    const { stdout } = await app.tasks('results', '--backend', 'fast', '--json')
    expect(stdout).toContain(failed?.id)
  })

  it('that are killed in the middle of a flow leave nothing undone for others', async () => {
    const handle = await group(Array.from({ length: 150 }, (_, i) => slow.order(i)))
      .next((values) => sum.order(values))
      .enqueue()
    for (let kills = 0; kills < 3; kills++) {
      const worker = app.start('db_worker', '--backend', 'fast', '--no-schedules')
      await worker.says('path=app.slow state=SUCCESSFUL', 10)
      worker.kill('SIGKILL')
      await worker.exited
    }
    const last = app.start('db_worker', '--backend', 'fast', '--no-schedules')
    await handle.wait({ timeout: 50_000 })
    last.kill('SIGTERM')
    expect((await last.exited).code).toBe(0)
    expect(handle.last.returnValue).toBe(150)
    expect(handle.progress).toEqual({ done: 151, total: 151 })
  }, 90_000)

  it('fire each slot of a schedule once, however many they are', async () => {
    const workers = [1, 2].map(() =>
      app.start('db_worker', '--backend', 'fast', '--queue-name', 'mail'),
    )
    for (const worker of workers) await worker.says('Starting worker')
    await new Promise((done) => setTimeout(done, 4_000))
    for (const worker of workers) worker.kill('SIGTERM')
    await Promise.all(workers.map(({ exited }) => exited))
    const ticks = await backends.get('fast').list({ limit: 100, taskName: 'app.tick' })
    const slots = ticks.map(({ runAfter }) => runAfter?.getTime())
    expect(slots.length).toBeGreaterThanOrEqual(3)
    expect(new Set(slots).size).toBe(slots.length)
    const { stdout } = await app.tasks('schedules')
    expect(stdout).toContain('app.each')
  })

  it('db_worker waits at its start for a Redis that is away', async () => {
    await server.kill()
    const worker = app.start('db_worker', '--backend', 'fast', '--no-startup-delay')
    await worker.says('cannot be reached')
    await server.restart()
    await worker.says('Starting worker')
    await add.enqueue(1, 2)
    await worker.says('state=SUCCESSFUL')
    worker.kill('SIGTERM')
    expect((await worker.exited).code).toBe(0)
  }, 60_000)
})
