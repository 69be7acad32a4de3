import { inGroup } from '../contenders/index.mjs'
import { withChild } from '../lib/child.mjs'

const COLUMNS = {
  small: '20,000, start included, tasks/s',
  rate: '60,000, tasks/s',
  large: '150,000, tasks/s',
  workerCpu: 'worker CPU s per 1,000',
  serverCpu: 'server CPU s per 1,000',
  rss: 'worker MiB',
}

/** The sizes of a drain. Those of one column only are for contenders that take part with all tasks. */
const SIZES = [
  { part: '20,000', metric: 'small', group: 'drain', count: 20_000, isWarm: false },
  { part: '60,000', metric: 'rate', group: 'drain', count: 60_000 },
  { part: '150,000', metric: 'large', group: 'large', count: 150_000 },
]

export const drain = {
  name: 'drain',
  title: 'Drain of no-op tasks',
  note: 'One worker process empties a queue that was filled before, after VACUUM (ANALYZE) and CHECKPOINT, or what the database has for it. The end is when the last completion is stored. Of 20,000 the start of the worker is counted; of more the first tenth is not. The slow have fewer tasks (share in contenders/index.mjs), and no line for other sizes. CPU and memory are of 60,000.',
  columns: COLUMNS,
  ratios: ['small', 'rate', 'large'],
  jobs({ databases, quick, servers }) {
    return SIZES.flatMap(({ part, metric, group, count, isWarm }) =>
      inGroup(group, databases)
        .filter(({ share }) => share === 1 || metric === 'rate')
        .filter(() => !quick || metric === 'rate')
        .map((entry) => ({
          ...entry,
          part,
          run: async () => {
            const size = Math.round((quick ? count / 4 : count) * entry.share)
            const found = await fillAndDrain(servers, entry, { count: size, isWarm })
            return metric === 'rate' ? found : { [metric]: found.rate }
          },
        })),
    )
  },
}

export const drainFresh = measure({
  name: 'drain-fresh',
  title: 'Drain of a burst into a new table, never analysed',
  note: 'As a table is in its first minute, before autovacuum has seen it: who plans by statistics has none.',
  columns: { rate: COLUMNS.rate.replace('60,000, ', '') },
  group: 'fresh',
  counts: { full: 30_000, quick: 5_000 },
  isCore: false,
  isAnalysed: false,
})

export const drainWide = measure({
  name: 'drain-1kb',
  title: 'Drain of tasks with 1 KB of arguments',
  columns: { rate: 'tasks/s' },
  group: 'wide',
  counts: { full: 10_000, quick: 3_000 },
  isCore: false,
  bytes: 1_024,
})

export const drainWaiting = measure({
  name: 'drain-2ms',
  title: 'Drain of tasks that await 2 ms',
  columns: { rate: 'tasks/s' },
  group: 'waiting',
  counts: { full: 8_000, quick: 2_000 },
  isCore: false,
  wait: 2,
})

function measure({ group, counts, isCore = true, bytes, wait, isAnalysed, ...measured }) {
  return {
    ...measured,
    isCore,
    ratios: ['rate'],
    jobs({ databases, quick, servers }) {
      const count = quick ? counts.quick : counts.full
      return inGroup(group, databases).map((entry) => ({
        ...entry,
        run: async () => {
          const size = Math.round(count * entry.share)
          const { rate } = await fillAndDrain(servers, entry, {
            count: size,
            bytes,
            wait,
            isAnalysed,
          })
          return { rate }
        },
      }))
    },
  }
}

/** Fills a new database and empties it. `isWarm`: the first tenth more is not measured; else all is, with the worker's start. */
export function fillAndDrain(
  servers,
  entry,
  { count, bytes = 0, wait = 0, isWarm = true, isAnalysed = true },
) {
  return servers.withDatabase(entry.server, async (address, server) => {
    const warm = isWarm ? Math.ceil(count / 10) : 0
    await filled(entry, address, warm + count, bytes)
    if (isAnalysed) await server.analyse(address)
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
