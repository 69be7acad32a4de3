// The process of a checkout that is compared: its own build, on its own TypeORM.
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { now } from './numbers.mjs'
import { optionsOf } from '../contenders/data-source.mjs'

const [root, address] = process.argv.slice(2)
const require = createRequire(`${root}/package.json`)
const { DataSource } = require('typeorm')
const {
  configureTasks,
  DBTaskResult,
  runUntilEmpty,
  startWorker,
  task,
} = require('./dist/index.js')
const { DatabaseBackend } = require('./dist/backends/database/index.js')

let delays = []
let worker
const work = task('bench.work', () => {})
const timed = task('bench.timed', (sentAt) => void delays.push(now() - sentAt))

const verbs = {
  async open() {
    const dataSource = new DataSource({
      ...optionsOf(JSON.parse(address)),
      entities: [DBTaskResult],
      synchronize: true,
    })
    await dataSource.initialize()
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  },
  single: (count) => perSecond(count, () => producer(count)),
  producers: (count) =>
    perSecond(count, () => Promise.all(Array.from({ length: 20 }, () => producer(count / 20)))),
  bulk: (count) => perSecond(count, () => bulk(count)),
  /** All that the others have enqueued. */
  drain: (count) => perSecond(count, () => runUntilEmpty()),
  async latency(count) {
    for (let i = 0; i < count; i++) {
      await timed.enqueue(now())
      await sleep(30 + Math.random() * 60)
    }
    await sleep(500)
  },
  async work() {
    delays = []
    worker = await startWorker()
  },
  async rest() {
    await worker.stop()
    return delays
  },
}

process.on('message', ({ verb, count }) => {
  verbs[verb](count).then(
    (value) => process.send({ value }),
    (error) => process.send({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function producer(count) {
  for (let i = 0; i < count; i++) await work.enqueue(i)
}

async function bulk(count) {
  const calls = Array.from({ length: 1_000 }, (_, i) => [i])
  for (let i = 0; i < count; i += calls.length) await work.enqueueMany(calls)
}

async function perSecond(count, run) {
  const started = performance.now()
  await run()
  return (count * 1_000) / (performance.now() - started)
}
