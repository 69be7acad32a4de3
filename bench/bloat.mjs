// What fillfactor and autovacuum make of a table on which tasks come and go: `node bench/bloat.mjs [--quick] [--only …]`. PostgreSQL.
import { setTimeout as sleep } from 'node:timers/promises'
import { withChild } from './lib/child.mjs'
import { cpuOf } from './lib/cpu.mjs'
import { parseOptions } from './lib/options.mjs'
import { prepare } from './lib/prepare.mjs'
import { Servers } from './servers/index.mjs'

const { quick, only } = parseOptions(process.argv.slice(2))
const tasks = quick ? 30_000 : 300_000
const PER_SECOND = 5_000
const BURST = 20_000

/** The settings of the table; a server's autovacuum looks each minute, this one each ten seconds, since the run is short. */
const VARIANTS = {
  'as it comes': '',
  'fillfactor 90': 'fillfactor = 90',
  'fillfactor 70': 'fillfactor = 70',
  'fillfactor 50': 'fillfactor = 50',
  'scale factor 0.01':
    'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01',
  'the same, cost delay 0':
    'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0',
  'the same, fillfactor 70':
    'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0, fillfactor = 70',
  'no autovacuum at all': 'autovacuum_enabled = false',
  '1,000,000 kept, as it comes': '',
  '1,000,000 kept, scale factor 0.01':
    'autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01',
}

process.env.BENCH_POSTGRES ??= 'autovacuum_naptime=10s'
prepare()
const servers = new Servers()
try {
  console.log(
    `${tasks} tasks, ${PER_SECOND} a second, then ${BURST} at once; sizes in MiB, CPU in s per 1,000 tasks\n`,
  )
  console.log(
    '| | table | indexes | dead rows | vacuums | HOT | WAL per task, bytes | server CPU | burst, tasks/s | after VACUUM FULL |\n|---|---|---|---|---|---|---|---|---|---|',
  )
  for (const [name, settings] of Object.entries(VARIANTS).filter(([variant]) => only.test(variant)))
    await servers.withDatabase('postgres', (address, server) =>
      measure(name, settings, address, server),
    )
} finally {
  await servers.stop()
}

function measure(name, settings, address, server) {
  const ask = async (sql) => (await server.query(sql, address.database))[0]
  return withChild('typeorm-tasks', address, {}, async (producer) => {
    await producer.ask('install')
    if (settings !== '') await ask(`ALTER TABLE db_task_result SET (${settings})`)
    if (name.includes('kept')) await producer.ask('grow', { kind: 'finished', count: 1_000_000 })
    await server.settle()
    const before = await ask('SELECT pg_current_wal_lsn() AS lsn')
    const cpu = cpuOf(server.pid)
    const { rate, spent } = await withChild('typeorm-tasks', address, {}, async (worker) => {
      await worker.ask('work')
      await produce(producer, worker)
      const steady = cpuOf(server.pid) - cpu
      return { rate: await burst(producer, worker), spent: steady }
    })
    const { wal } = await ask(
      `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${before.lsn}') / ${tasks + BURST} AS wal`,
    )
    const seen =
      await ask(`SELECT pg_table_size('db_task_result') / 1048576 AS heap, pg_indexes_size('db_task_result') / 1048576 AS indexes,
      n_dead_tup AS dead, autovacuum_count AS vacuums, n_tup_hot_upd AS hot, n_tup_upd AS updates FROM pg_stat_user_tables WHERE relname = 'db_task_result'`)
    await ask('VACUUM FULL db_task_result')
    const { ideal } = await ask(
      "SELECT pg_total_relation_size('db_task_result') / 1048576 AS ideal",
    )
    console.log(
      `| ${name} | ${seen.heap} | ${seen.indexes} | ${seen.dead} | ${seen.vacuums} | ${Math.round((100 * seen.hot) / seen.updates)} % | ${Math.round(wal)} | ${((spent / tasks) * 1_000).toFixed(4)} | ${Math.round(rate)} | ${ideal} |`,
    )
  })
}

async function produce(producer, worker) {
  const started = performance.now()
  for (let made = 0; made < tasks; made += 1_000) {
    await producer.ask('fill', { count: 1_000 })
    await sleep(Math.max(0, started + ((made + 1_000) / PER_SECOND) * 1_000 - performance.now()))
  }
  await until(async () => (await worker.ask('stored')) >= tasks)
}

async function burst(producer, worker) {
  const from = await worker.ask('stored')
  const started = performance.now()
  await producer.ask('fill', { count: BURST })
  await until(async () => (await worker.ask('stored')) >= from + BURST)
  return (BURST / (performance.now() - started)) * 1_000
}

async function until(isSo) {
  while (!(await isSo())) await sleep(20)
}
