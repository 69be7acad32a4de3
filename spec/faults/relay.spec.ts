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

    it('F87 every task of a committed transaction runs, none of one that is rolled back, and none is there twice', async () => {
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

      const backend = backends.get('fast')
      const left = async (): Promise<number> => {
        const { READY, RUNNING } = await backend.counts()
        return READY + RUNNING
      }
      const enqueued = new Enqueuing(dataSource)
      let busy = 0
      for (let kills = 0; kills < KILLS; kills++) {
        const at = kills % PROCESSES.length
        // It has begun, and gets a part of the tasks to do just before it is killed.
        await until(
          () => running[at]?.said.includes('Starting ') ?? false,
          60_000,
          () => `a process to start: ${running[at]?.said}`,
        )
        enqueued.allow((kills + 1) * (TRANSACTIONS / KILLS))
        await pause(20 + 100 * Math.random())
        if ((await left()) > 0 || !enqueued.isAtBound) busy += 1
        running[at]?.kill()
        await running[at]?.ended
        start(at)
      }
      const committed = await enqueued.committed
      expect(busy).toBeGreaterThan(KILLS / 2)

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
        `Relay on ${database.name}: ${committed.size} committed, ${KILLS} kills, ${busy} of them with tasks left, ${again} tasks ran more than once\n`,
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

/** Enqueues as many as it may. Every third transaction is rolled back. */
class Enqueuing {
  /** The numbers of the others, once all are done. */
  readonly committed: Promise<Set<number>>
  readonly #dataSource: DataSource
  readonly #numbers = new Set<number>()
  #bound = 0
  #next = 0
  #done = 0

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    const isSqlite = dataSource.options.type === 'better-sqlite3'
    const workers = Array.from({ length: isSqlite ? 1 : AT_ONCE }, () => this.#work())
    this.committed = Promise.all(workers).then(() => this.#numbers)
  }

  /** So many transactions, in all. */
  allow(transactions: number): void {
    this.#bound = transactions
  }

  /** It has enqueued what it may. */
  get isAtBound(): boolean {
    return this.#done >= this.#bound
  }

  async #work(): Promise<void> {
    while (this.#next < TRANSACTIONS) {
      if (this.#next < this.#bound) await this.#enqueue(this.#next++)
      else await pause(5)
    }
  }

  async #enqueue(at: number): Promise<void> {
    const numbers = Array.from({ length: EACH }, (_, i) => at * EACH + i)
    const isRolledBack = at % 3 === 2
    try {
      await atomic(this.#dataSource, async () => {
        await note.enqueueMany(numbers.map((each): [number] => [each]))
        if (isRolledBack) throw new Error('rolled back')
      })
      for (const each of numbers) this.#numbers.add(each)
    } catch (error) {
      if (!isRolledBack) throw error
    }
    this.#done += 1
  }
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
