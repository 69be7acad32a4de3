import { setTimeout as sleep } from 'node:timers/promises'
import { Child, withChild } from '../lib/child.mjs'
import { cpuOf } from '../lib/cpu.mjs'
import { now } from '../lib/numbers.mjs'
import { filled } from './drain.mjs'

const NUMBERS = { postgres: [1, 2, 4], mariadb: [1, 2, 4, 8], sqlite: [1, 4] }
const entry = { contender: 'typeorm-tasks', settings: {} }

export const processes = {
  name: 'processes',
  title: 'Several worker processes on one queue, all together',
  note: 'typeorm-tasks at default settings; from the start of the workers to the last stored completion.',
  columns: { rate: 'tasks/s', serverCpu: 'server CPU s per 1,000', workerCpu: 'CPU s of all workers per 1,000', cores: 'cores at work', deadlocks: 'deadlocks' },
  ratios: ['rate', 'serverCpu'],
  reference: '1 process',
  isCore: false,

  jobs({ databases, quick, servers }) {
    const count = quick ? 4_000 : 60_000
    const job = (database, number) => ({ database, who: number === 1 ? '1 process' : `${number} processes`, run: () => run(servers, database, number, count) })
    return databases.flatMap((database) => NUMBERS[database].map((number) => job(database, number)))
  },
}

function run(servers, database, number, count) {
  return servers.withDatabase(database, async (address, server) => {
    await filled(entry, address, count)
    await server.settle()
    const workers = await Promise.all(Array.from({ length: number }, () => Child.start(entry.contender, address, entry.settings)))
    try {
      const deadlocks = (await server.deadlocks?.()) ?? 0
      const numbers = await drained(workers, address, count)
      await assertEmpty(address)
      return { ...numbers, deadlocks: ((await server.deadlocks?.()) ?? 0) - deadlocks }
    } finally {
      await Promise.all(workers.map((worker) => worker.end()))
    }
  })
}

async function drained(workers, { pid }, count) {
  const cpuOfWorkers = () => workers.reduce((sum, worker) => sum + cpuOf(worker.pid), 0)
  const [from, server, own] = [now(), cpuOf(pid), cpuOfWorkers()]
  await Promise.all(workers.map((worker) => worker.ask('work')))
  for (let stored = 0; stored < count; await sleep(5)) {
    stored = (await Promise.all(workers.map((worker) => worker.ask('stored')))).reduce((sum, number) => sum + number, 0)
    if (now() - from > 180_000) throw new Error(`only ${stored} of ${count} tasks ran within 180 s`)
  }
  const [took, serverCpu, workerCpu] = [now() - from, cpuOf(pid) - server, cpuOfWorkers() - own]
  return { rate: (count / took) * 1_000, serverCpu: (serverCpu / count) * 1_000, workerCpu: (workerCpu / count) * 1_000, cores: (serverCpu + workerCpu) / (took / 1_000) }
}

async function assertEmpty(address) {
  const left = await withChild(entry.contender, address, entry.settings, (child) => child.ask('left'))
  if (left !== 0) throw new Error(`${left} tasks are left over`)
}
