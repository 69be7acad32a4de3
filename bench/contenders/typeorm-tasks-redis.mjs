// This library on Redis, by the build in `dist`, as an app uses it.
import { createRequire } from 'node:module'
import { repository } from '../lib/prepare.mjs'

const require = createRequire(`${repository}/package.json`)
const { allBackends, configureTasks, startWorker, task, taskFinished } = require('./dist/index.js')
const { BullMQBackend } = require('./dist/backends/bullmq/index.js')

let hub

const work = task('bench.work', (payload) => hub.run(payload))

export async function open({ host, port }, settings) {
  configureTasks({
    default: { BACKEND: BullMQBackend, OPTIONS: { connection: { host, port }, prefix: 'bench' } },
  })
  const [backend] = allBackends()
  return {
    tellsCompleted: true,
    install: () => backend.counts(),
    add: (payload) => work.enqueue(payload),
    addMany: (payloads) => work.enqueueMany(payloads.map((payload) => [payload])),
    async work({ run, completed }) {
      hub = { run }
      taskFinished.connect(() => completed(1))
      await startWorker(settings)
    },
    async left() {
      const { READY, RUNNING } = await backend.counts()
      return READY + RUNNING
    },
  }
}
