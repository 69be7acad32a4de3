import { setTimeout as sleep } from 'node:timers/promises'
import { Child, withChild } from '../lib/child.mjs'
import { cpuOf } from '../lib/cpu.mjs'
import { now } from '../lib/numbers.mjs'
import { filled } from './drain.mjs'

const NUMBERS = {
  postgres: [1, 2, 4],
  mariadb: [1, 2, 4, 8],
  mysql: [1, 8],
  sqlite: [1, 4],
  redis: [1, 2],
}
const OURS = { contender: 'typeorm-tasks', settings: {} }
const ON_REDIS = [
  { contender: 'typeorm-tasks-redis', settings: { concurrency: 10 } },
  { contender: 'bullmq-redis', settings: { concurrency: 10 }, name: 'BullMQ, ' },
]

export const processes = {
  name: 'processes',
  title: 'Several worker processes on one queue, all together',
  note: 'typeorm-tasks at default settings, on Redis beside BullMQ at the same concurrency; to the last stored completion; the first tenth is not measured.',
  columns: {
    rate: 'tasks/s',
    serverCpu: 'server CPU s per 1,000',
    workerCpu: 'CPU s of all workers per 1,000',
    cores: 'cores at work',
    deadlocks: 'deadlocks',
  },
  ratios: ['rate', 'serverCpu'],
  reference: '1 process',
  isCore: false,

  jobs({ databases, quick, servers }) {
    const count = quick ? 4_000 : 150_000
    const job = (entry, database, number) => ({
      database,
      who: `${entry.name ?? ''}${number === 1 ? '1 process' : `${number} processes`}`,
      run: () => run(servers, { ...entry, database, number }, count),
    })
    return databases.flatMap((database) =>
      (database === 'redis' ? ON_REDIS : [OURS]).flatMap((entry) =>
        NUMBERS[database].map((number) => job(entry, database, number)),
      ),
    )
  },
}

function run(servers, entry, count) {
  return servers.withDatabase(entry.database, async (address, server) => {
    await filled(entry, address, count)
    await server.analyse(address)
    await server.settle()
    const workers = await Promise.all(
      Array.from({ length: entry.number }, () =>
        Child.start(entry.contender, address, entry.settings),
      ),
    )
    try {
      const deadlocks = (await server.deadlocks?.()) ?? 0
      const numbers = await drained(workers, address, count)
      await assertEmpty(entry, address)
      return { ...numbers, deadlocks: ((await server.deadlocks?.()) ?? 0) - deadlocks }
    } finally {
      await Promise.all(workers.map((worker) => worker.end()))
    }
  })
}

async function drained(workers, { pid }, count) {
  const use = () => ({
    at: now(),
    server: cpuOf(pid),
    own: workers.reduce((sum, worker) => sum + cpuOf(worker.pid), 0),
  })
  await Promise.all(workers.map((worker) => worker.ask('work')))
  const warm = await stored(workers, count / 10)
  const before = use()
  const all = await stored(workers, count)
  const after = use()
  const per = (amount) => (amount / (all - warm)) * 1_000
  const [took, serverCpu, workerCpu] = [
    (after.at - before.at) / 1_000,
    after.server - before.server,
    after.own - before.own,
  ]
  return {
    rate: (all - warm) / took,
    serverCpu: per(serverCpu),
    workerCpu: per(workerCpu),
    cores: (serverCpu + workerCpu) / took,
  }
}

/** Waits until so many completions are stored; gives how many there are. */
async function stored(workers, wanted) {
  for (const deadline = now() + 180_000; ; await sleep(5)) {
    const found = (await Promise.all(workers.map((worker) => worker.ask('stored')))).reduce(
      (sum, number) => sum + number,
      0,
    )
    if (found >= wanted) return found
    if (now() > deadline) throw new Error(`only ${found} of ${wanted} tasks ran within 180 s`)
  }
}

async function assertEmpty(entry, address) {
  const left = await withChild(entry.contender, address, entry.settings, (child) =>
    child.ask('left'),
  )
  if (left !== 0) throw new Error(`${left} tasks are left over`)
}
