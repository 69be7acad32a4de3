import { inGroup } from '../contenders/index.mjs'
import { withChild } from '../lib/child.mjs'

const COLUMNS = {
  rate: 'tasks/s',
  workerCpu: 'worker CPU s per 1,000',
  serverCpu: 'server CPU s per 1,000',
  rss: 'worker MiB',
}

export const drain = measure({
  name: 'drain',
  title: 'Drain of no-op tasks',
  note: 'One worker process empties a queue that was filled before; the first tenth is not measured. The end is when the last completion is stored.',
  columns: COLUMNS,
  group: 'drain',
  counts: { full: 30_000, quick: 5_000 },
})

export const drainWide = measure({
  name: 'drain-1kb',
  title: 'Drain of tasks with 1 KB of arguments',
  columns: { rate: COLUMNS.rate },
  group: 'wide',
  counts: { full: 10_000, quick: 3_000 },
  isCore: false,
  bytes: 1_024,
})

export const drainWaiting = measure({
  name: 'drain-2ms',
  title: 'Drain of tasks that await 2 ms',
  columns: { rate: COLUMNS.rate },
  group: 'waiting',
  counts: { full: 8_000, quick: 2_000 },
  isCore: false,
  wait: 2,
})

function measure({ group, counts, bytes = 0, wait = 0, isCore = true, ...measured }) {
  return {
    ...measured,
    isCore,
    ratios: ['rate'],
    jobs({ databases, quick, servers }) {
      const count = quick ? counts.quick : counts.full
      return inGroup(group, databases).map((entry) => ({
        ...entry,
        run: () =>
          fillAndDrain(servers, entry, { count: Math.round(count * entry.times), bytes, wait }),
      }))
    },
  }
}

function fillAndDrain(servers, entry, { count, bytes, wait }) {
  return servers.withDatabase(entry.server, async (address, server) => {
    const warm = Math.ceil(count / 10)
    await filled(entry, address, warm + count, bytes)
    await server.settle()
    const { rate, workerCpu, serverCpu, rss } = await withChild(
      entry.contender,
      address,
      entry.settings,
      (child) => child.ask('drain', { warm, count, wait }),
    )
    return { rate, workerCpu, serverCpu, rss: rss / 2 ** 20 }
  })
}

/** By a process of its own: what a producer leaves in memory is not the worker's. */
export function filled({ contender, settings }, address, count, bytes = 0) {
  return withChild(contender, address, settings, async (child) => {
    await child.ask('install')
    await child.ask('fill', { count, bytes })
  })
}
