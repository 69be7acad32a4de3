import { setTimeout as sleep } from 'node:timers/promises'
import { startWorker, task } from 'typeorm-tasks'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'
import { catchLog, type Line } from '../support/tasks'

const greet = task('redisFull.greet', () => 'hello')
let finish = (): void => {}
const long = task('redisFull.long', () => new Promise<void>((resolve) => (finish = resolve)))

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await isSo()); await sleep(20))
    if (Date.now() > end) throw new Error('Waited in vain.')
}

describeOnRedis('a Redis whose memory is full', () => {
  const { connection } = redisApp({ isAlone: true, options: { leaseSeconds: 2 } })
  let lines: Line[] = []
  const said = (level: string) => lines.filter(([at]) => at === level).map(([, line]) => line)
  const limit = (bytes: string) => connection().client.config('SET', 'maxmemory', bytes)

  it('is told by the health and the log of a worker, also while leases are renewed, until there is room', async () => {
    lines = catchLog()
    const running = await long.enqueue()
    const worker = await startWorker({ interval: 50, concurrency: 2 })
    await until(async () => (await running.refresh()).status === 'RUNNING' && worker.health().ready)
    const later = await greet.using({ runAfter: new Date(Date.now() + 500) }).enqueue()
    await limit('1')
    await until(() => !worker.health().ready)
    const { databaseSince } = worker.health()
    // Two renewals at least, which Redis takes.
    await sleep(2_500)
    expect(worker.health()).toMatchObject({
      live: true,
      ready: false,
      database: 'away',
      databaseSince,
      problems: [expect.stringMatching(/^Its backend has not answered since/)],
    })
    expect(said('error')[0]).toMatch(
      /^The backend did not answer \(1\): The memory of Redis is full \(TASKS\.default\): OOM command not allowed when used memory > 'maxmemory'\. Raise its maxmemory, or keep results for a shorter time \(OPTIONS\.keepResults\)/,
    )
    await expect(greet.enqueue()).rejects.toThrow(/memory of Redis is full.*OOM/)

    await limit('0')
    await until(() => worker.health().ready)
    await until(async () => (await later.refresh()).status === 'SUCCESSFUL')
    finish()
    await until(async () => (await running.refresh()).status === 'SUCCESSFUL')
    await worker.stop()
  })
})
