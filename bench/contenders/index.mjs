// Who is measured, on which database, with which settings. `times` scales how many tasks: so that each takes about as long.

/** @typedef {{ who: string, database: string, server: string, contender: string, settings: object, times: number, groups: readonly string[] }} Entry */

/** Groups: `drain`, `wide` (1 KB of arguments), `waiting` (tasks of 2 ms), `enqueue`, `latency`, `growth`. */
export const entries = [
  entry('postgres', 'raw:one', 'raw-postgres', { size: 1, connections: 10 }, 0.5, 'drain'),
  entry('postgres', 'raw:batch', 'raw-postgres', { size: 100 }, 2, 'drain', 'wide', 'enqueue'),
  entry('postgres', 'raw:batch best', 'raw-postgres', { size: 500 }, 2, 'drain'),
  entry(
    'postgres',
    'typeorm-tasks',
    'typeorm-tasks',
    {},
    2,
    'drain',
    'wide',
    'waiting',
    'enqueue',
    'latency',
    'growth',
  ),
  entry(
    'postgres',
    'typeorm-tasks best',
    'typeorm-tasks',
    { concurrency: 800 },
    2,
    'drain',
    'wide',
    'waiting',
    'growth',
  ),
  entry(
    'postgres',
    'graphile-worker',
    'graphile-worker',
    { concurrentJobs: 10 },
    0.5,
    'drain',
    'enqueue',
    'latency',
  ),
  entry(
    'postgres',
    'graphile-worker tuned',
    'graphile-worker',
    graphile(10, 500),
    2,
    'drain',
    'wide',
    'waiting',
  ),
  entry(
    'postgres',
    'graphile-worker best',
    'graphile-worker',
    graphile(500, 2_000),
    2,
    'drain',
    'waiting',
  ),
  entry(
    'postgres',
    'pg-boss tuned',
    'pg-boss',
    { batchSize: 10, burstWhenBatchFull: true },
    0.5,
    'drain',
    'enqueue',
  ),
  entry(
    'postgres',
    'pg-boss best',
    'pg-boss',
    { batchSize: 1_000, localConcurrency: 2, burstWhenBatchFull: true },
    1,
    'drain',
    'waiting',
  ),
  entry('postgres', 'pg-boss with NOTIFY', 'pg-boss', { notify: true }, 1, 'latency'),
  entry(
    'postgres',
    'BullMQ on PostgreSQL',
    'bullmq-postgres',
    { concurrency: 10 },
    0.25,
    'drain',
    'enqueue',
    'latency',
  ),
  onRedis(
    'BullMQ on Redis',
    { concurrency: 10 },
    1,
    'drain',
    'wide',
    'waiting',
    'enqueue',
    'latency',
  ),
  onRedis('BullMQ on Redis best', { concurrency: 200 }, 1, 'drain', 'waiting'),

  entry('mariadb', 'raw:one', 'raw-mariadb', { size: 1, connections: 10 }, 0.25, 'drain'),
  entry('mariadb', 'raw:batch', 'raw-mariadb', { size: 100 }, 1, 'drain', 'wide', 'enqueue'),
  entry('mariadb', 'raw:batch best', 'raw-mariadb', { size: 500 }, 1, 'drain'),
  entry(
    'mariadb',
    'typeorm-tasks',
    'typeorm-tasks',
    {},
    1,
    'drain',
    'wide',
    'waiting',
    'enqueue',
    'latency',
    'growth',
  ),
  entry(
    'mariadb',
    'typeorm-tasks best',
    'typeorm-tasks',
    { concurrency: 800 },
    1,
    'drain',
    'wide',
    'waiting',
  ),

  entry('sqlite', 'raw:batch', 'raw-sqlite', { size: 100 }, 2, 'drain', 'wide', 'enqueue'),
  entry(
    'sqlite',
    'typeorm-tasks',
    'typeorm-tasks',
    {},
    1,
    'drain',
    'wide',
    'waiting',
    'enqueue',
    'latency',
    'growth',
  ),
  entry(
    'sqlite',
    'typeorm-tasks best',
    'typeorm-tasks',
    { concurrency: 800 },
    1,
    'drain',
    'wide',
    'waiting',
  ),
  entry('sqlite', 'plainjob', 'plainjob', {}, 1, 'drain', 'wide', 'enqueue', 'latency'),
  entry('sqlite', 'plainjob, poll 10 ms', 'plainjob', { pollIntervall: 10 }, 1, 'latency'),
]

/** What the ratios of a table are to. */
export const references = {
  drain: { postgres: 'graphile-worker tuned', mariadb: 'raw:batch best', sqlite: 'plainjob' },
  enqueue: { postgres: 'raw', mariadb: 'raw', sqlite: 'plainjob' },
  latency: { postgres: 'graphile-worker', mariadb: 'typeorm-tasks', sqlite: 'typeorm-tasks' },
}

/** @returns {Entry[]} */
export function inGroup(group, databases) {
  return entries.filter(
    ({ database, groups }) => groups.includes(group) && databases.includes(database),
  )
}

function entry(database, who, contender, settings, times, ...groups) {
  return { who, database, server: database, contender, settings, times, groups }
}

/** Beside those on PostgreSQL, to be compared with them. */
function onRedis(who, settings, times, ...groups) {
  return { ...entry('postgres', who, 'bullmq-redis', settings, times, ...groups), server: 'redis' }
}

function graphile(concurrentJobs, size) {
  return { concurrentJobs, localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
}
