// Who is measured, on which database, with which settings.

/**
 * @typedef {object} Entry
 * @property {string} who
 * @property {string} database
 * @property {string} server
 * @property {string} contender file of this folder
 * @property {object} settings
 * @property {number} share of the tasks of a drain: less for the slow, so that none takes minutes
 * @property {readonly string[]} groups `drain`, `large` (150,000), `fresh` (never analysed), `wide` (1 KB of arguments),
 *   `waiting` (tasks of 2 ms), `enqueue`, `latency`, `growth`
 */

const OURS = 'typeorm-tasks'
const OURS_ON_REDIS = 'typeorm-tasks-redis'

/** What its authors recommend for throughput, by the sweep of `--sweep graphile-worker`. */
const graphile = (concurrentJobs, size) => ({
  concurrentJobs,
  localQueue: { size },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
})

/** @type {readonly Entry[]} */
export const entries = [
  ...on('postgres', [
    ['raw:one', 'raw-postgres', { size: 1, connections: 10 }, 0.25, 'drain'],
    ['raw:batch', 'raw-postgres', { size: 100 }, 1, 'drain wide enqueue'],
    ['raw:batch best', 'raw-postgres', { size: 500, connections: 2 }, 1, 'drain large'],
    [OURS, OURS, {}, 1, 'drain large fresh wide waiting enqueue latency growth'],
    [`${OURS} best`, OURS, { concurrency: 800 }, 1, 'drain large fresh wide waiting growth'],
    ['graphile-worker', 'graphile-worker', { concurrentJobs: 10 }, 0.25, 'drain enqueue latency'],
    [
      'graphile-worker tuned',
      'graphile-worker',
      graphile(10, 500),
      1,
      'drain large fresh wide waiting growth',
    ],
    [
      'graphile-worker best',
      'graphile-worker',
      graphile(500, 2_000),
      1,
      'drain large fresh waiting growth',
    ],
    [
      'pg-boss tuned',
      'pg-boss',
      { batchSize: 10, burstWhenBatchFull: true },
      0.25,
      'drain enqueue',
    ],
    [
      'pg-boss best',
      'pg-boss',
      { batchSize: 1_000, localConcurrency: 2, burstWhenBatchFull: true },
      0.5,
      'drain waiting',
    ],
    ['pg-boss with NOTIFY', 'pg-boss', { notify: true }, 1, 'latency'],
    [
      'BullMQ on PostgreSQL',
      'bullmq-postgres',
      { concurrency: 10 },
      0.125,
      'drain enqueue latency',
    ],
  ]),
  // Beside those on PostgreSQL, to be compared with them; beside ours on Redis they stand below.
  ...on(
    'postgres',
    [
      [
        'BullMQ on Redis',
        'bullmq-redis',
        { concurrency: 10 },
        1,
        'drain wide waiting enqueue latency',
      ],
      ['BullMQ on Redis best', 'bullmq-redis', { concurrency: 200 }, 1, 'drain waiting'],
    ],
    'redis',
  ),
  ...['mariadb', 'mysql'].flatMap((database) =>
    on(database, [
      ['raw:one', 'raw-mysql', { size: 1, connections: 10 }, 0.125, 'drain'],
      ['raw:batch', 'raw-mysql', { size: 100 }, 1, 'drain wide enqueue'],
      ['raw:batch best', 'raw-mysql', { size: 500 }, 1, 'drain'],
      [OURS, OURS, {}, 1, 'drain wide waiting enqueue latency growth'],
      [`${OURS} best`, OURS, { concurrency: 800 }, 1, 'drain wide waiting'],
    ]),
  ),
  ...on('sqlite', [
    ['raw:batch', 'raw-sqlite', { size: 100 }, 1, 'drain wide enqueue'],
    [OURS, OURS, {}, 1, 'drain wide waiting enqueue latency growth'],
    [`${OURS} best`, OURS, { concurrency: 800 }, 1, 'drain wide waiting'],
    ['plainjob', 'plainjob', {}, 0.5, 'drain wide enqueue latency'],
    ['plainjob, poll 10 ms', 'plainjob', { pollIntervall: 10 }, 1, 'latency'],
  ]),
  // Both at the same concurrency, and both keep results.
  ...on('redis', [
    ['BullMQ', 'bullmq-redis', { concurrency: 10 }, 1, 'drain wide waiting enqueue latency'],
    [
      'BullMQ, pipelines',
      'bullmq-redis',
      { concurrency: 10, pipelines: true },
      1,
      'drain wide waiting enqueue latency',
    ],
    [OURS, OURS_ON_REDIS, { concurrency: 10 }, 1, 'drain wide waiting enqueue latency'],
    ['BullMQ best', 'bullmq-redis', { concurrency: 200 }, 1, 'drain large waiting'],
    [
      'BullMQ best, pipelines',
      'bullmq-redis',
      { concurrency: 200, pipelines: true },
      1,
      'drain large waiting',
    ],
    [`${OURS} best`, OURS_ON_REDIS, { concurrency: 200 }, 1, 'drain large waiting'],
  ]),
]

/** What the ratios of a table are to. */
export const references = {
  drain: {
    postgres: 'graphile-worker tuned',
    mariadb: 'raw:batch best',
    mysql: 'raw:batch best',
    sqlite: 'plainjob',
    redis: 'BullMQ',
  },
  enqueue: { postgres: 'raw', mariadb: 'raw', mysql: 'raw', sqlite: 'plainjob', redis: 'BullMQ' },
  latency: {
    postgres: 'graphile-worker',
    mariadb: OURS,
    mysql: OURS,
    sqlite: OURS,
    redis: 'BullMQ',
  },
}

/** @returns {Entry[]} */
export function inGroup(group, databases) {
  return entries.filter(
    ({ database, groups }) => groups.includes(group) && databases.includes(database),
  )
}

function on(database, lines, server = database) {
  return lines.map(([who, contender, settings, share, groups]) => ({
    who,
    database,
    server,
    contender,
    settings,
    share,
    groups: groups.split(' '),
  }))
}
