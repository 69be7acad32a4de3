import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { atomic, configureTasks, DBTaskResult, remoteTask } from 'typeorm-tasks'
import { BullMQBackend } from 'typeorm-tasks/backends/bullmq'
import { backends } from '#backend-registry'
import { describeEachDatabase } from '../support/databases'
import { findRedis, type RedisServer, startRedis } from '../support/servers/redis'
import { appOf } from '../support/temp-app'
import { Command } from './kit/command'
import { until } from './kit/until'

const TRANSACTIONS = 1_000
/** Tasks that each of them enqueues. */
const EACH = 10
const KILLS = 20
/** Transactions at a time. */
const AT_ONCE = 4
const PREFIX = 'chaos'

const PROCESSES = [
  [
    'db_worker',
    '--backend',
    'fast',
    '--queue-name',
    '*',
    '--no-startup-delay',
    '--interval',
    '0.2',
  ],
  [
    'db_worker',
    '--backend',
    'fast',
    '--queue-name',
    '*',
    '--no-startup-delay',
    '--interval',
    '0.2',
  ],
  ['relay', '--backend', 'fast'],
] as const

const note = remoteTask<[number]>('relay.chaos', { backend: 'fast', queueName: 'mail' })

const run = findRedis() === undefined ? describe.skip : describe
run('the relay, where processes are killed', () => {
  describeEachDatabase((database) => {
    let redis: RedisServer
    const running: Command[] = []

    beforeAll(async () => {
      redis = await startRedis()
    })
    afterAll(async () => {
      for (const each of running) each.kill()
      await Promise.all(running.map(({ ended }) => ended))
      await backends.get('fast').close()
      await redis.stop()
    })

    it('every task of a committed transaction runs, none of one that is rolled back, and none is there twice', async () => {
      const options = await database.fresh()
      const root = appOf(filesOf(options, redis.url), {
        'typeorm-tasks': '..',
        'better-sqlite3': 'better-sqlite3',
        pg: 'pg',
        mysql2: 'mysql2',
      })
      const dataSource = await new DataSource({
        ...options,
        entities: [DBTaskResult],
        synchronize: true,
      }).initialize()
      configure(dataSource, redis.url)
      const start = (at: number): Command => {
        const command = new Command(root, ...(PROCESSES[at] ?? []))
        running[at] = command
        return command
      }
      PROCESSES.forEach((_, at) => start(at))

      let isEnqueued = false
      const enqueued = enqueueAll(dataSource).finally(() => (isEnqueued = true))
      let kills = 0
      while (kills < KILLS) {
        await pause(300 + 900 * Math.random())
        const at = kills % PROCESSES.length
        running[at]?.kill()
        await running[at]?.ended
        start(at)
        kills += 1
      }
      const committed = await enqueued
      expect(isEnqueued).toBe(true)

      const backend = backends.get('fast')
      await until(
        async () => (await backend.counts()).SUCCESSFUL === committed.size,
        120_000,
        () =>
          `all of ${committed.size} tasks to end; what processes said:\n${running.map(({ said }) => said.slice(-500)).join('\n')}`,
      )
      const rows = dataSource.getRepository(DBTaskResult)
      // Those of a relay that was killed after it had added them.
      await until(
        async () => (await rows.count()) === 0,
        60_000,
        () => 'the table to be empty',
      )
      const ran = runsIn(root)
      expect([...ran.keys()].filter((each) => !committed.has(each))).toEqual([])
      expect([...committed].filter((each) => !ran.has(each))).toEqual([])
      expect(await backend.counts()).toMatchObject({
        READY: 0,
        RUNNING: 0,
        FAILED: 0,
        SUCCESSFUL: committed.size,
      })
      const again = [...ran.values()].filter((times) => times > 1).length
      process.stderr.write(
        `Relay on ${database.name}: ${committed.size} committed, ${kills} kills, ${again} tasks ran more than once\n`,
      )
      await dataSource.destroy()
    }, 300_000)
  })
})

function configure(dataSource: DataSource, connection: string): void {
  configureTasks({
    fast: {
      BACKEND: BullMQBackend,
      QUEUES: ['mail'],
      OPTIONS: { connection, prefix: PREFIX, dataSource },
    },
  })
}

/** Every third transaction is rolled back. Resolves to the numbers of the others. */
async function enqueueAll(dataSource: DataSource): Promise<Set<number>> {
  const committed = new Set<number>()
  let next = 0
  const work = async (): Promise<void> => {
    while (next < TRANSACTIONS) {
      const at = next++
      const numbers = Array.from({ length: EACH }, (_, i) => at * EACH + i)
      const isRolledBack = at % 3 === 2
      try {
        await atomic(dataSource, async () => {
          await note.enqueueMany(numbers.map((each): [number] => [each]))
          if (isRolledBack) throw new Error('rolled back')
        })
        for (const each of numbers) committed.add(each)
      } catch (error) {
        if (!isRolledBack) throw error
      }
    }
  }
  const isSqlite = dataSource.options.type === 'better-sqlite3'
  await Promise.all(Array.from({ length: isSqlite ? 1 : AT_ONCE }, work))
  return committed
}

/** How often each number ran. */
function runsIn(root: string): Map<number, number> {
  const file = join(root, 'runs')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  const runs = new Map<number, number>()
  for (const line of lines) runs.set(Number(line), (runs.get(Number(line)) ?? 0) + 1)
  return runs
}

function filesOf(options: object, url: string): Record<string, string> {
  const fast = { connection: url, prefix: PREFIX, leaseSeconds: 3, maxCrashes: 1_000 }
  return {
    'ormconfig.js': `
const { DataSource } = require('typeorm')
const { DBTaskResult } = require('typeorm-tasks')
const dataSource = new DataSource({ ...${JSON.stringify(options)}, entities: [DBTaskResult] })
exports.dataSource = dataSource
exports.TASKS = {
  fast: {
    BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend',
    QUEUES: ['mail'],
    OPTIONS: { ...${JSON.stringify(fast)}, dataSource },
  },
}`,
    'tasks.js': `
const { appendFileSync } = require('node:fs')
const { join } = require('node:path')
const { task } = require('typeorm-tasks')
task('relay.chaos', (number) => appendFileSync(join(__dirname, 'runs'), number + '\\n'), {
  backend: 'fast',
  queueName: 'mail',
})`,
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
