// What is to be reached, as ratios within one run. Places are measure, database, who, metric.

const OURS = 'typeorm-tasks'
const BEST = 'typeorm-tasks best'

/** @returns lines of goal, value and `yes`, `no` or `not measured`. */
export function judged(results) {
  return goals.map(({ goal, parts }) => {
    const found = parts.map((part) => ({ ...part, value: part.of(results) }))
    const isMissed = found.some((part) => isMeasured(part) && !isReached(part))
    return {
      goal,
      value: found.map(shown).join(' / '),
      reached: isMissed ? 'no' : found.every(isMeasured) ? 'yes' : 'not measured',
    }
  })
}

function isMeasured({ value }) {
  return Number.isFinite(value)
}

function isReached({ value, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY }) {
  return value >= least && value <= most
}

/** In bold what missed its goal. */
function shown(part) {
  if (!isMeasured(part)) return '–'
  const text = part.value.toFixed(Math.abs(part.value) >= 100 ? 0 : part.value < 0.1 ? 3 : 2)
  return isReached(part) ? text : `**${text}**`
}

const ratio = (measure, database, who, other, metric) => (results) =>
  results.ratio([measure, database, who, metric], [measure, database, other, metric])
const value = (measure, database, who, metric) => (results) =>
  results.median(measure, database, who, metric)
const toEmpty = (who, state) => (results) =>
  results.ratio(['growth', 'postgres', who, state], ['growth', 'postgres', who, 'empty'])
const p99ToP50 = (results) =>
  results.ratio(['latency', 'postgres', OURS, 'p99'], ['latency', 'postgres', OURS, 'p50'])
const deadlocks = (database) => (results) =>
  Math.max(...results.values('processes', database, '8 processes', 'deadlocks'))
const heapGrowth = (results) =>
  value('memory', 'postgres', OURS, 'tasks')(results) >= 1_000_000
    ? value('memory', 'postgres', OURS, 'heapGrowth')(results)
    : undefined

const goals = [
  {
    goal: 'drain of 60,000 at default settings: ≥ 1.0 × graphile-worker tuned, ≥ 8 × its default',
    parts: [
      { of: ratio('drain', 'postgres', OURS, 'graphile-worker tuned', 'rate'), least: 1 },
      { of: ratio('drain', 'postgres', OURS, 'graphile-worker', 'rate'), least: 8 },
    ],
  },
  {
    goal: 'drain of 60,000 at best settings: ≥ 1.1 × graphile-worker best, ≥ 2 × BullMQ on Redis best',
    parts: [
      { of: ratio('drain', 'postgres', BEST, 'graphile-worker best', 'rate'), least: 1.1 },
      { of: ratio('drain', 'postgres', BEST, 'BullMQ on Redis best', 'rate'), least: 2 },
    ],
  },
  {
    goal: 'enqueue: one producer / 20 producers / bulk: ≥ 0.85 / 0.7 / 0.5 × raw',
    parts: [
      { of: ratio('enqueue', 'postgres', OURS, 'raw', 'one'), least: 0.85 },
      { of: ratio('enqueue', 'postgres', OURS, 'raw', 'twenty'), least: 0.7 },
      { of: ratio('enqueue', 'postgres', OURS, 'raw', 'bulk'), least: 0.5 },
    ],
  },
  {
    goal: "latency of an idle worker: p50 ≤ graphile-worker's; p99 ≤ 2 × its p50",
    parts: [
      { of: ratio('latency', 'postgres', OURS, 'graphile-worker', 'p50'), most: 1 },
      { of: p99ToP50, most: 2 },
    ],
  },
  ...[OURS, BEST].map((who) => ({
    goal: `${who}: drain beside 200,000 finished / backlog / for tomorrow / under an old snapshot: ≥ 0.95 / 0.85 / 0.85 / 0.8 × empty`,
    parts: [
      { of: toEmpty(who, 'finished'), least: 0.95 },
      { of: toEmpty(who, 'backlog'), least: 0.85 },
      { of: toEmpty(who, 'later'), least: 0.85 },
      { of: toEmpty(who, 'snapshot'), least: 0.8 },
    ],
  })),
  {
    goal: 'CPU per 1,000 tasks at best settings, worker / server: ≤ 0.007 / 0.012 s',
    parts: [
      { of: value('drain', 'postgres', BEST, 'workerCpu'), most: 0.007 },
      { of: value('drain', 'postgres', BEST, 'serverCpu'), most: 0.012 },
    ],
  },
  {
    goal: 'four worker processes against one: ≥ 1 × in all; server CPU per task ≤ 1.5 ×',
    parts: [
      { of: ratio('processes', 'postgres', '4 processes', '1 process', 'rate'), least: 1 },
      { of: ratio('processes', 'postgres', '4 processes', '1 process', 'serverCpu'), most: 1.5 },
    ],
  },
  {
    goal: '1,000,000 no-op tasks in one worker: heap within 20 MiB of the start; RSS ≤ 130 MiB',
    parts: [
      { of: heapGrowth, most: 20 },
      { of: value('memory', 'postgres', OURS, 'rss'), most: 130 },
    ],
  },
  {
    goal: 'SQLite: drain / enqueue one by one / bulk: ≥ 5 / 0.7 / 0.7 × plainjob',
    parts: [
      { of: ratio('drain', 'sqlite', OURS, 'plainjob', 'rate'), least: 5 },
      { of: ratio('enqueue', 'sqlite', OURS, 'plainjob', 'one'), least: 0.7 },
      { of: ratio('enqueue', 'sqlite', OURS, 'plainjob', 'bulk'), least: 0.7 },
    ],
  },
  {
    goal: 'MariaDB: drain ≥ 0.9 × raw:batch best, bulk ≥ 0.6 × raw; 8 workers ≥ 1.2 × one, no deadlock',
    parts: [
      { of: ratio('drain', 'mariadb', OURS, 'raw:batch best', 'rate'), least: 0.9 },
      { of: ratio('enqueue', 'mariadb', OURS, 'raw', 'bulk'), least: 0.6 },
      { of: ratio('processes', 'mariadb', '8 processes', '1 process', 'rate'), least: 1.2 },
      { of: deadlocks('mariadb'), least: 0, most: 0 },
    ],
  },
  {
    goal: 'MySQL: drain ≥ 0.8 × raw:batch best; no deadlock of 8 workers',
    parts: [
      { of: ratio('drain', 'mysql', OURS, 'raw:batch best', 'rate'), least: 0.8 },
      { of: deadlocks('mysql'), least: 0, most: 0 },
    ],
  },
  {
    goal: "Redis: drain of 60,000 at a concurrency of 10 / 200: ≥ 1.0 × BullMQ's Worker, with and without pipelines",
    parts: [
      { of: ratio('drain', 'redis', OURS, 'BullMQ', 'rate'), least: 1 },
      { of: ratio('drain', 'redis', OURS, 'BullMQ, pipelines', 'rate'), least: 1 },
      { of: ratio('drain', 'redis', BEST, 'BullMQ best', 'rate'), least: 1 },
      { of: ratio('drain', 'redis', BEST, 'BullMQ best, pipelines', 'rate'), least: 1 },
    ],
  },
  {
    goal: 'Redis: enqueue, one producer / 20 producers / bulk: ≥ 0.8 × BullMQ, with and without pipelines; two worker processes > one',
    parts: [
      ...['BullMQ', 'BullMQ, pipelines'].flatMap((other) =>
        ['one', 'twenty', 'bulk'].map((metric) => ({
          of: ratio('enqueue', 'redis', OURS, other, metric),
          least: 0.8,
        })),
      ),
      { of: ratio('processes', 'redis', '2 processes', '1 process', 'rate'), least: 1.01 },
    ],
  },
  {
    goal: 'latency p50 of an idle worker on one machine, SQLite / MariaDB / MySQL: ≤ 5 ms',
    parts: ['sqlite', 'mariadb', 'mysql'].map((database) => ({
      of: value('latency', database, OURS, 'p50'),
      most: 5,
    })),
  },
  ...['postgres', 'sqlite'].map((database) => ({
    goal: `tasks db_worker --batch on an empty table (${database}): ≤ 2 × node -e "require('typeorm')"; with --no-startup-delay`,
    parts: [
      {
        of: ratio(
          'startup',
          database,
          'tasks db_worker --batch',
          "node -e require('typeorm')",
          'ms',
        ),
        most: 2,
      },
      {
        of: ratio(
          'startup',
          database,
          'tasks db_worker --batch --no-startup-delay',
          "node -e require('typeorm')",
          'ms',
        ),
        most: 2,
      },
    ],
  })),
  {
    goal: 'one claim with 1,000,000 finished, 100,000 ready, 100,000 for tomorrow: p99 < 20 ms; PostgreSQL 10 / 100 rows, MariaDB 10 / 100 rows',
    parts: ['postgres', 'mariadb'].flatMap((database) =>
      [10, 100].map((room) => ({
        of: value('claim', database, `${room} rows a claim`, 'p99'),
        most: 20,
      })),
    ),
  },
]
