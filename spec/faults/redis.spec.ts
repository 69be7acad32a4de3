import { setTimeout as sleep } from 'node:timers/promises'
import { Prober } from '../support/probing'
import { type RedisServer, startRedis } from '../support/servers/redis'
import { asked } from '../support/servers/redis/asked'
import { describeWithRedis, RedisField } from './kit/redis-field'
import { until } from './kit/until'

const LEASE = 3_000

/** One server and one field for each scenario; at the end nothing may be other than promised. */
function add(
  title: string,
  work: (field: RedisField, server: RedisServer) => Promise<void>,
  settings: object = {},
): void {
  it(
    title,
    async () => {
      const server = await startRedis({ appendonly: true, appendfsync: 'always' })
      const field = await RedisField.open(server.url, () => server.url, settings)
      try {
        await work(field, server)
        expect((await field.breaches()).slice(0, 10)).toEqual([])
      } finally {
        await field.close()
        await server.stop()
      }
    },
    120_000,
  )
}

const startsOf = (field: RedisField, id: string): number =>
  field.events.filter((each) => each.event === 'start' && each.id === id).length

const READY = [200, 200, 200]
const NOT_READY = [200, 503, 200]

async function becomes(probes: Prober, statuses: readonly number[]): Promise<void> {
  let last: number[] = []
  await until(
    async () => (last = await probes.all()).join() === statuses.join(),
    30_000,
    () => `${statuses.join()}; the last was ${last.join()}`,
  )
}

describeWithRedis('workers on Redis', () => {
  add(
    'F75 that are killed in the middle: every task ends, and none is recorded twice',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 300 }, () => [100]),
      )
      for (let kill = 0; kill < 6; kill++) {
        const worker = await field.worker(['--concurrency', '5'])
        await sleep(500)
        worker.kill('SIGKILL')
        await worker.ended
      }
      await field.worker(['--concurrency', '20'])
      const results = await field.finished()

      expect(results.size).toBe(ids.length)
      const lost = [...results.values()].filter(({ errors }) =>
        errors.some(({ exceptionClassPath }) => exceptionClassPath.endsWith('WorkerLost')),
      )
      expect(lost.length).toBeGreaterThan(0)
      expect(lost.every(({ id }) => startsOf(field, id) >= 1)).toBe(true)
      expect([...(await field.recorded()).values()].every((times) => times === 1)).toBe(true)
    },
  )

  add(
    'F76 one that stands still for two leases: another one takes over, its late outcomes are refused',
    async (field) => {
      const [id = ''] = await field.enqueue('second', [[4_000]])
      const first = await field.worker()
      await field.sees('start')
      first.kill('SIGSTOP')
      await field.worker()
      await field.finished()
      first.kill('SIGCONT')
      await field.sees('end', 2)
      await sleep(1_000)

      const result = await field.backend.getResult(id)
      expect(result.returnValue).toBe(field.events.filter(({ event }) => event === 'start')[1]?.run)
      expect(result.errors.map(({ exceptionClassPath }) => exceptionClassPath)).toEqual([
        expect.stringMatching(/WorkerLost$/),
      ])
    },
  )
})

describeWithRedis('Redis', () => {
  add(
    'F77 that is killed and back within the lease costs no attempt and no outcome; meanwhile an enqueue fails soon, and the worker is not ready',
    async (field, server) => {
      const long = await field.enqueue(
        'sleep',
        Array.from({ length: 4 }, () => [6_000]),
      )
      const [short = ''] = await field.enqueue('sleep', [[1_500]])
      const probes = await Prober.atFreePort()
      const worker = await field.worker(['--concurrency', '5', ...probes.args])
      await field.sees('start', 5)
      await becomes(probes, READY)
      await sleep(500)

      await server.kill()
      const before = performance.now()
      await expect(field.enqueue('sleep', [[0]])).rejects.toMatchObject({
        name: 'DatabaseUnreachableError',
      })
      expect(performance.now() - before).toBeLessThan(3_000)
      await field.sees('end')
      await becomes(probes, NOT_READY)
      const back = Date.now()
      await server.restart()
      await becomes(probes, READY)
      await field.finished()

      for (const id of [...long, short]) expect(startsOf(field, id)).toBe(1)
      const results = await field.results()
      expect([...results.values()].map(({ status, errors }) => [status, errors])).toEqual(
        [...long, short].map(() => ['SUCCESSFUL', []]),
      )
      expect(results.get(short)?.finishedAt?.getTime()).toBeGreaterThan(back - 100)
      expect(worker.isOver).toBe(false)
    },
    { leaseSeconds: 10 },
  )

  add(
    'F78 that is away for three leases: tasks are told to stop in time, and run again',
    async (field, server) => {
      const ids = await field.enqueue('second', [[60_000], [60_000], [60_000]])
      const worker = await field.worker()
      await field.sees('start', 3)
      await sleep(1_000)

      await server.kill()
      const killed = Date.now()
      const aborts = await field.sees('abort', 3)
      expect(Math.max(...aborts.map(({ at }) => at)) - killed).toBeLessThan(LEASE + 500)
      expect(aborts.map(({ note }) => note)).toEqual(Array(3).fill('LeaseLost'))
      await sleep(Math.max(0, killed + 3 * LEASE - Date.now()))
      await server.restart()
      await field.finished()

      for (const id of ids) expect(startsOf(field, id)).toBe(2)
      expect(worker.isOver).toBe(false)
      expect(worker.log).toContain('ECONNREFUSED')
      // That option of the library below is not to be touched.
      expect(worker.log).not.toContain('maxRetriesPerRequest')
    },
  )

  add(
    'F79 that stands still, and goes on within the lease: an enqueue fails within 11 s, and no attempt is lost',
    async (field, server) => {
      await field.enqueue(
        'sleep',
        Array.from({ length: 5 }, () => [3_000]),
      )
      await field.worker(['--concurrency', '5'])
      await field.sees('start', 5)
      process.kill(server.pid ?? 0, 'SIGSTOP')
      const before = performance.now()
      try {
        await expect(field.enqueue('sleep', [[0]])).rejects.toMatchObject({
          name: 'DatabaseUnreachableError',
        })
        expect(performance.now() - before).toBeLessThan(11_000)
      } finally {
        process.kill(server.pid ?? 0, 'SIGCONT')
      }
      const results = await field.finished()
      expect([...results.values()].map(({ errors }) => errors)).toEqual(Array(5).fill([]))
    },
    { leaseSeconds: 30 },
  )

  add(
    'F80 whose connections are cut every 200 ms loses no task and records none twice',
    async (field, server) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 400 }, () => [20]),
      )
      await Promise.all([
        field.worker(['--concurrency', '10']),
        field.worker(['--concurrency', '10']),
      ])
      for (let cut = 0; cut < 25; cut++) {
        await sleep(200)
        await asked(server.port, (redis) => redis.client('KILL', 'TYPE', 'normal'))
      }
      const results = await field.finished()
      expect(results.size).toBe(ids.length)
    },
  )

  for (const [title, signal] of [
    ['that is gone', 'SIGKILL'],
    ['that stands still', 'SIGSTOP'],
  ] as const)
    add(
      `F86 ${title} keeps a worker that is stopped for --shutdown-timeout and a few seconds, and one that is forced not at all`,
      async (field, server) => {
        await field.enqueue('second', [[60_000], [60_000]])
        const workers = await Promise.all(
          [1, 2].map(() => field.worker(['--concurrency', '1', '--shutdown-timeout', '2'])),
        )
        await field.sees('start', 2)
        if (signal === 'SIGKILL') await server.kill()
        else process.kill(server.pid ?? 0, signal)
        try {
          await sleep(1_500)
          const [stopped, forced] = workers
          const before = performance.now()
          stopped?.kill('SIGTERM')
          forced?.kill('SIGINT')
          await sleep(100)
          forced?.kill('SIGINT')
          expect(await forced?.ended).toMatchObject({ code: 130 })
          expect(performance.now() - before).toBeLessThan(1_500)
          expect(await stopped?.ended).toMatchObject({ code: 1 })
          expect(performance.now() - before).toBeLessThan(2_000 + 7_500)
        } finally {
          if (signal === 'SIGKILL') await server.restart()
          else process.kill(server.pid ?? 0, 'SIGCONT')
        }
        await field.worker()
        await field.finished()
      },
      { leaseSeconds: 12 },
    )
})
