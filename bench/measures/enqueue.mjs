import { inGroup } from '../contenders/index.mjs'
import { withChild } from '../lib/child.mjs'

export const enqueue = {
  name: 'enqueue',
  title: 'Enqueue, tasks/s',
  note: 'One producer awaits each call; 20 do so side by side in one process; in bulk, 1,000 tasks a call. Pools of 20 connections.',
  columns: { one: 'one producer', twenty: '20 producers', bulk: 'bulk' },
  ratios: ['one', 'twenty', 'bulk'],

  jobs({ databases, quick, servers }) {
    const counts = quick
      ? { one: 500, twenty: 2_000, calls: 10 }
      : { one: 10_000, twenty: 20_000, calls: 50 }
    return inGroup('enqueue', databases).map((entry) => ({
      ...entry,
      who: entry.who.replace('raw:batch', 'raw').replace(' tuned', ''),
      run: () => run(servers, entry, counts),
    }))
  },
}

function run(servers, { server, contender, settings }, { one, twenty, calls }) {
  return servers.withDatabase(server, (address) =>
    withChild(contender, address, settings, async (child) => {
      await child.ask('install')
      await child.ask('enqueue', { count: 300, producers: 20 })
      await child.ask('enqueueBulk', { calls: 3, size: 1_000 })
      await child.ask('enqueue', { count: one / 10, producers: 1 })
      return {
        one: one / (await child.ask('enqueue', { count: one, producers: 1 })),
        twenty: twenty / (await child.ask('enqueue', { count: twenty, producers: 20 })),
        bulk: (calls * 1_000) / (await child.ask('enqueueBulk', { calls, size: 1_000 })),
      }
    }),
  )
}
