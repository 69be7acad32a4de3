import { setTimeout as sleep } from 'node:timers/promises'
import { inGroup } from '../contenders/index.mjs'
import { withChild } from '../lib/child.mjs'
import { quantile } from '../lib/numbers.mjs'

const PATIENCE = 10_000

export const latency = {
  name: 'latency',
  title: 'Latency of an idle worker, ms',
  note: 'From just before the enqueue, in another process, to the first line of the task. Default settings unless said.',
  columns: { p50: 'p50', p99: 'p99' },
  ratios: ['p50'],

  jobs({ databases, quick, servers }) {
    const count = quick ? 30 : 120
    return inGroup('latency', databases).map((entry) => ({
      ...entry,
      run: () => run(servers, entry, count),
    }))
  },
}

function run(servers, { server, contender, settings }, count) {
  return servers.withDatabase(server, (address) =>
    withChild(contender, address, settings, async (producer) => {
      await producer.ask('install')
      return withChild(contender, address, settings, async (worker) => {
        await worker.ask('listen')
        await ping(producer, worker, 5)
        const lags = await ping(producer, worker, count)
        return { p50: quantile(lags, 0.5), p99: quantile(lags, 0.99) }
      })
    }),
  )
}

async function ping(producer, worker, count) {
  await producer.ask('ping', { count, pause: 60 })
  const lags = []
  for (const deadline = Date.now() + PATIENCE; lags.length < count; await sleep(20)) {
    lags.push(...(await worker.ask('lags')))
    if (Date.now() > deadline)
      throw new Error(`only ${lags.length} of ${count} tasks started within ${PATIENCE / 1000} s`)
  }
  return lags
}
