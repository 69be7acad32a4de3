// What can be checked without peers and servers: `node --test bench/smoke.mjs`.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { entries, references } from './contenders/index.mjs'
import { cpuOf } from './lib/cpu.mjs'
import { judged } from './lib/goals.mjs'
import { quantile } from './lib/numbers.mjs'
import { parseOptions } from './lib/options.mjs'
import { machine, report } from './lib/report.mjs'
import { Results } from './lib/results.mjs'
import { line, sectionOf } from './lib/scale-report.mjs'
import { measures } from './measures/index.mjs'

const drain = (who) => ({ measure: 'drain', database: 'postgres', who })

void test('a ratio compares what ran in the same round', () => {
  const results = new Results()
  for (const [round, [mine, theirs]] of [
    [10, 5],
    [300, 100],
    [40, 10],
  ].entries()) {
    results.add(drain('a'), round, { rate: mine })
    results.add(drain('b'), round, { rate: theirs })
  }
  results.add(drain('a'), 4, { rate: 1_000_000 })
  assert.equal(
    results.ratio(['drain', 'postgres', 'a', 'rate'], ['drain', 'postgres', 'b', 'rate']),
    3,
  )
})

void test('a goal is reached, missed or not measured, each told apart', () => {
  const results = new Results()
  const goal = () => judged(results)[0].reached
  assert.equal(goal(), 'not measured')
  results.add(drain('typeorm-tasks'), 1, { rate: 900 })
  results.add(drain('graphile-worker'), 1, { rate: 100 })
  assert.equal(goal(), 'not measured')
  results.add(drain('graphile-worker tuned'), 1, { rate: 800 })
  assert.equal(goal(), 'yes')
  results.add(drain('graphile-worker tuned'), 2, { rate: 800 })
  results.add(drain('typeorm-tasks'), 2, { rate: 80 })
  assert.equal(goal(), 'no')
})

void test('the report names what failed and tells each number with its range', () => {
  const results = new Results()
  for (const [round, rate] of [100, 300, 200].entries())
    results.add(drain('typeorm-tasks'), round, { rate })
  results.problems.push('drain/postgres/pg-boss: gone')
  const text = report(results, {
    begun: machine(),
    versions: [],
    minutes: 1,
    rounds: 3,
    quick: false,
    isWhole: true,
  })
  assert.match(text, /\| typeorm-tasks \| 200 \(100–300\)/)
  assert.match(text, /## Not measured\n\n- drain\/postgres\/pg-boss: gone/)
})

void test('every contender has its file, and every reference takes part', () => {
  for (const { contender } of entries)
    assert.ok(existsSync(new URL(`contenders/${contender}.mjs`, import.meta.url)), contender)
  for (const [measure, byDatabase] of Object.entries(references)) {
    const jobs = measures
      .find(({ name }) => name === measure)
      .jobs({ databases: ['postgres', 'mariadb', 'mysql', 'sqlite', 'redis'], quick: false })
    for (const [database, who] of Object.entries(byDatabase))
      assert.ok(
        jobs.some((job) => job.database === database && job.who === who),
        `${measure}/${database}/${who}`,
      )
  }
})

void test(
  'CPU time of a process grows as it works',
  { skip: process.platform !== 'linux' },
  async () => {
    const before = cpuOf(process.pid)
    for (const until = Date.now() + 200; Date.now() < until;);
    await sleep(10)
    assert.ok(cpuOf(process.pid) - before > 0.02)
  },
)

void test('quantiles lie between the values, and options are checked', () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5)
  assert.throws(() => parseOptions(['--database', 'oracle']), /there is no "oracle"/)
  assert.throws(() => parseOptions(['--rounds', '0']), /a whole number/)
})

void test('a line of the report on scale says whether its floor is reached', () => {
  const lines = [
    line('claim', 10.4, 'ms', { most: 10 }),
    line('drain', 0.95, '', { least: 0.95 }),
    line('disk', 1_234.5, 'bytes'),
  ]
  const text = sectionOf(lines, { begun: machine(), versions: [], minutes: 1 })
  assert.deepEqual(text.split('\n').slice(-3), [
    '| claim | 10.4 ms | at most 10 ms | **not reached** |',
    '| drain | 0.95 | at least 0.95 | reached |',
    '| disk | 1,235 bytes |  |  |',
  ])
})
