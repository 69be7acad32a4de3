import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob'

const silent = { debug() {}, info() {}, warn() {}, error: console.error }

export async function open({ database }, settings) {
  const queue = defineQueue({ connection: better(new Database(database)), logger: silent })
  return {
    tellsCompleted: true,
    install: () => {},
    add: (payload) => queue.add('bench', payload),
    addMany: (payloads) => queue.addMany('bench', payloads),
    async work({ run, completed }) {
      const worker = defineWorker('bench', (job) => run(JSON.parse(job.data)), {
        queue,
        logger: silent,
        onCompleted: () => completed(1),
        ...settings,
      })
      worker.start().catch((error) => console.error(error))
    },
    left: () =>
      queue.countJobs({ status: JobStatus.Pending }) +
      queue.countJobs({ status: JobStatus.Processing }),
  }
}
