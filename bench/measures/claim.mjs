import { withChild } from '../lib/child.mjs'
import { quantile } from '../lib/numbers.mjs'

export const claim = {
  name: 'claim',
  title: 'One claim on a large table, ms',
  note: "The store's own claim on a table with 1,000,000 finished rows, 100,000 that are ready and 100,000 for tomorrow (with --quick a tenth).",
  columns: { p50: 'p50', p99: 'p99' },
  ratios: [],
  once: true,
  isCore: false,

  jobs({ databases, quick, servers }) {
    const unit = quick ? 10_000 : 100_000
    return databases
      .filter((database) => database !== 'sqlite' && database !== 'redis')
      .flatMap((database) =>
        [10, 100].map((room) => ({
          database,
          who: `${room} rows a claim`,
          run: () => run(servers, database, unit, room),
        })),
      )
  },
}

function run(servers, database, unit, room) {
  return servers.withDatabase(database, (address, server) =>
    withChild('typeorm-tasks', address, {}, async (child) => {
      await child.ask('install')
      for (const [kind, count] of [
        ['finished', 10 * unit],
        ['ready', unit],
        ['later', unit],
      ])
        await child.ask('grow', { kind, count })
      await server.settle()
      const took = await child.ask('claims', { count: Math.min(1_000, (unit / room) * 0.9), room })
      return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
    }),
  )
}
