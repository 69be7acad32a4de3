// The memory of tasks on Redis: `node bench/redis-memory.mjs`. It writes nothing; the table of docs/operations/redis.md is its output.
import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'
import { startRedis } from './servers/redis.mjs'

const require = createRequire(import.meta.url)
const { configureTasks, runUntilEmpty, setLogger, task } = require('../dist')
const { Redis } = require('ioredis')

const TASKS = 20_000
const HOUR_MS = 60 * 60_000
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const echo = task('bench.echo', async (value) => value)

const KINDS = {
  'a small argument, a small return value': { call: (i) => [i] },
  '… with a priority': { call: (i) => [i], using: { priority: 1 } },
  '… due later': { call: (i) => [i], using: { runAfter: new Date(Date.now() + HOUR_MS) } },
  'a UUID as an argument and in the return value': { call: () => [randomUUID()] },
  '500 bytes as an argument and in the return value': { call: () => ['x'.repeat(500)] },
}

setLogger(silent)
for (const most of [64, 1_024]) {
  console.log(`hash-max-listpack-value ${most}: bytes a task that waits, that has finished`)
  for (const [name, kind] of Object.entries(KINDS))
    console.log(`  ${name}: ${(await measured(kind, most)).join(', ')}`)
}

async function measured({ call, using }, most) {
  const server = await startRedis()
  const url = `redis://127.0.0.1:${server.port}`
  const redis = new Redis(url)
  try {
    await redis.config('SET', 'hash-max-listpack-value', most)
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend',
        QUEUES: ['default'],
        OPTIONS: { connection: url, prefix: 'bench' },
      },
    })
    const kept = using ? echo.using(using) : echo
    // What is there once, whatever the number of tasks.
    await kept.enqueueMany([call(0)])
    const before = await used(redis)
    await kept.enqueueMany(Array.from({ length: TASKS }, (_, i) => call(i)))
    const waiting = Math.round(((await used(redis)) - before) / TASKS)
    if (using?.runAfter) return [waiting]
    await runUntilEmpty({ queues: '*', concurrency: 100 })
    return [waiting, Math.round(((await used(redis)) - before) / TASKS)]
  } finally {
    redis.disconnect()
    await server.stop()
  }
}

async function used(redis) {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))[1])
}
