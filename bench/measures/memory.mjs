import { setTimeout as sleep } from 'node:timers/promises'
import { withChild } from '../lib/child.mjs'
import { now } from '../lib/numbers.mjs'

const PATIENCE = 150_000

export const memory = {
  name: 'memory',
  title: 'Memory of one worker after many no-op tasks',
  note: 'typeorm-tasks at default settings. The heap is taken after a collection, and compared with the start. Ends early where 1,000,000 tasks take longer than 150 s.',
  columns: { tasks: 'tasks', heapGrowth: 'heap growth MiB', rss: 'RSS MiB' },
  ratios: [],
  once: true,
  isCore: false,

  jobs({ databases, quick, servers }) {
    const count = quick ? 20_000 : 1_000_000
    return databases
      .filter((database) => database === 'postgres')
      .map((database) => ({
        database,
        who: 'typeorm-tasks',
        run: () => run(servers, database, count),
      }))
  },
}

function run(servers, database, count) {
  return servers.withDatabase(database, async (address, server) => {
    await withChild('typeorm-tasks', address, {}, async (child) => {
      await child.ask('install')
      await child.ask('grow', { kind: 'ready', count })
    })
    await server.settle()
    return withChild('typeorm-tasks', address, {}, (child) => worked(child, count), ['--expose-gc'])
  })
}

async function worked(child, count) {
  const before = await child.ask('memory')
  const deadline = now() + PATIENCE
  await child.ask('work')
  while ((await child.ask('stored')) < count && now() < deadline) await sleep(100)
  const { rss } = await child.ask('size')
  const { heapUsed } = await child.ask('memory')
  return {
    tasks: Math.min(count, await child.ask('stored')),
    heapGrowth: (heapUsed - before.heapUsed) / 2 ** 20,
    rss: rss / 2 ** 20,
  }
}
