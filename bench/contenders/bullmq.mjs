import { Queue, Worker } from 'bullmq'

/** BullMQ, on whichever backend: what is done, and what waits, is the same. */
export function openBullMq(connection, { concurrency = 10 }, ...backend) {
  const queue = new Queue('bench', { connection }, ...backend)
  return {
    tellsCompleted: true,
    install: () => queue.waitUntilReady(),
    add: (payload) => queue.add('work', payload),
    addMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'work', data }))),
    async work({ run, completed }) {
      const worker = new Worker(
        'bench',
        (job) => run(job.data),
        { connection, concurrency },
        ...backend,
      )
      worker.on('completed', () => completed(1))
      worker.on('error', (error) => console.error(error))
      await worker.waitUntilReady()
    },
    async left() {
      const { waiting, active } = await queue.getJobCounts('waiting', 'active')
      return waiting + active
    },
  }
}
