import { inGroup } from '../contenders/index.mjs'
import { withChild } from '../lib/child.mjs'

const STATES = {
  empty: 'empty',
  finished: 'finished',
  backlog: 'backlog',
  later: 'for tomorrow',
  snapshot: 'old snapshot',
}

export const growth = {
  name: 'growth',
  title: 'Drain beside what has grown, tasks/s',
  columns: STATES,
  ratios: [],

  get note() {
    return '200,000 rows (with --quick 50,000) that are finished, that wait as a backlog, or that wait for tomorrow at the same priority; an old snapshot held by another session.'
  },

  jobs({ databases, quick, servers }) {
    const sizes = quick ? { count: 3_000, others: 50_000 } : { count: 30_000, others: 200_000 }
    const wanted = inGroup('growth', databases).filter(
      ({ database, who }) => !quick || (database === 'postgres' && who === 'typeorm-tasks'),
    )
    return wanted.flatMap((entry) =>
      Object.keys(STATES).map((state) => ({
        ...entry,
        part: state,
        run: () => run(servers, entry, state, sizes),
      })),
    )
  },
}

function run(servers, { server: kind, contender, settings }, state, { count, others }) {
  return servers.withDatabase(kind, (address, server) =>
    withChild(contender, address, settings, async (other) => {
      const warm = Math.ceil(count / 10)
      await other.ask('install')
      await grow(other, state, others)
      await other.ask('fill', { count: warm + count })
      if (state === 'snapshot') await other.ask('hold')
      await server.analyse(address)
      await server.settle()
      const { rate } = await withChild(contender, address, settings, (child) =>
        child.ask('drain', { warm, count, backlog: state === 'backlog' }),
      )
      return { [state]: rate }
    }),
  )
}

async function grow(child, state, count) {
  const kind = { finished: 'finished', backlog: 'ready', later: 'later' }[state]
  if (kind !== undefined) await child.ask('grow', { kind, count })
}
