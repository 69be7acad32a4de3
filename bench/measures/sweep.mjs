import { fillAndDrain } from './drain.mjs'

/** The settings of a contender that are tried, by its name. Two lists are every pair of both. */
const GRIDS = {
  'graphile-worker': pairs([10, 100, 500, 1_000], [500, 2_000, 5_000], (concurrentJobs, size) => ({
    concurrentJobs,
    localQueue: { size },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  })),
  'pg-boss': pairs([100, 1_000, 5_000], [1, 2, 4], (batchSize, localConcurrency) => ({
    batchSize,
    localConcurrency,
    burstWhenBatchFull: true,
  })),
  'bullmq-redis': pairs([10, 50, 100, 200, 500], [0, 1], (concurrency, pipelines) => ({
    concurrency,
    pipelines,
  })),
  'typeorm-tasks-redis': [10, 50, 100, 200, 500].map((concurrency) => ({ concurrency })),
  'typeorm-tasks': [10, 100, 400, 800, 1_600].map((concurrency) => ({ concurrency })),
  'raw-postgres': pairs([100, 500, 1_000], [1, 2], (size, connections) => ({ size, connections })),
}

/** A measure whose rows are the settings of one contender. @throws Error for one that has no grid. */
export function sweepOf(contender) {
  const grid = GRIDS[contender]
  if (grid === undefined)
    throw new Error(`--sweep: there is no "${contender}", but ${Object.keys(GRIDS).join(', ')}.`)
  const server = contender.endsWith('-redis') ? 'redis' : 'postgres'
  return {
    name: 'sweep',
    title: `Settings of ${contender}: a drain of 60,000 no-op tasks`,
    columns: {
      rate: 'tasks/s',
      workerCpu: 'worker CPU s per 1,000',
      serverCpu: 'server CPU s per 1,000',
    },
    ratios: [],
    jobs: ({ quick, servers }) =>
      grid.map((settings) => ({
        database: 'postgres',
        who: words(settings),
        run: async () => {
          const entry = { contender, server, settings }
          const { rate, workerCpu, serverCpu } = await fillAndDrain(servers, entry, {
            count: quick ? 10_000 : 60_000,
          })
          return { rate, workerCpu, serverCpu }
        },
      })),
  }
}

function pairs(some, others, settingsOf) {
  return some.flatMap((one) => others.map((other) => settingsOf(one, other)))
}

function words(settings) {
  return Object.entries(settings)
    .filter(([, value]) => value !== 0 && value !== true)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? Object.values(value) : value}`)
    .join(', ')
}
