// The statement that stores outcomes and claims, on a bare driver and on tables that differ: `node bench/lanes.mjs [rounds]`.
// It shows what the statement allows without a worker, and what an index by a boolean, a fillfactor, or fewer connections change.
import { createRequire } from 'node:module'
import { cpuOf } from './lib/cpu.mjs'
import { median } from './lib/numbers.mjs'
import { prepare, repository } from './lib/prepare.mjs'

const [rounds = '3', tasks = '60000'] = process.argv.slice(2)
const COUNT = Number(tasks)
const SIZE = 400
const INDEX = 'db_task_result_ready_idx'

const byBoolean = (fillfactor) => ({
  read: (text) => text.replaceAll("c.status = 'READY'", 'c.is_ready'),
  ddl: [
    `ALTER TABLE db_task_result ADD COLUMN is_ready boolean GENERATED ALWAYS AS (status = 'READY') STORED`,
    `DROP INDEX ${INDEX}`,
    `CREATE INDEX ${INDEX} ON db_task_result (priority, run_after, enqueued_at) WHERE is_ready`,
    `ALTER TABLE db_task_result SET (fillfactor = ${fillfactor})`,
  ],
})
const filled = (fillfactor) => ({
  ddl: [`ALTER TABLE db_task_result SET (fillfactor = ${fillfactor})`],
})

const VARIANTS = {
  'as it is, one connection': { connections: 1 },
  'as it is, two': {},
  'as it is, three': { connections: 3 },
  'found by ids': { by: 'id' },
  'fillfactor 70': filled(70),
  'fillfactor 50': filled(50),
  'boolean, fillfactor 100': byBoolean(100),
  'boolean, fillfactor 70': byBoolean(70),
  'boolean, fillfactor 33': byBoolean(33),
}

prepare()
const require = createRequire(`${repository}/package.json`)
const pg = require('pg')
const { withChild } = await import('./lib/child.mjs')
const { Servers } = await import('./servers/index.mjs')
const { claimTexts } = require('./dist/backends/database/dialects/postgres/claim.js')
const { soonRows } = require('./dist/backends/database/dialects/postgres/columns.js')
const { postgresNames } = require('./dist/backends/database/dialects/names.js')

const servers = new Servers()
const found = new Map()
try {
  for (let round = 0; round < Number(rounds); round++)
    for (const [name, variant] of Object.entries(VARIANTS)) {
      const all = found.get(name) ?? []
      found.set(name, all)
      all.push(
        await servers.withDatabase('postgres', (address, server) => run(address, server, variant)),
      )
    }
} finally {
  await servers.stop()
}
process.stdout.write(
  '| | tasks/s | server CPU s per 1,000 | driver CPU s per 1,000 | bytes of WAL a task | heap-only updates |\n|---|---|---|---|---|---|\n',
)
for (const [name, all] of found) {
  const of = (key) => median(all.map((each) => each[key]))
  process.stdout.write(
    `| ${name} | ${Math.round(of('rate'))} | ${of('server').toFixed(4)} | ${of('driver').toFixed(4)} | ${Math.round(of('wal'))} | ${Math.round(100 * of('hot'))} % |\n`,
  )
}

async function run(
  address,
  server,
  { read = (text) => text, ddl = [], by = 'ctid', connections = 2 },
) {
  await withChild('typeorm-tasks', address, {}, async (child) => {
    await child.ask('install')
    for (const sql of ddl) await server.query(sql, address.database)
    await child.ask('fill', { count: COUNT })
  })
  await server.analyse(address)
  await server.settle()
  const filter = { queues: ['default'], excludeQueues: [] }
  const { finishAndClaim } = claimTexts(
    'db_task_result',
    filter,
    postgresNames('postgres'),
    soonRows,
    by,
  )
  const statement = numbered(read(finishAndClaim))
  const { host, port, user, password, database, pid } = address
  const pool = new pg.Pool({ host, port, user, password, database, max: connections })
  const clients = await Promise.all(Array.from({ length: connections }, () => pool.connect()))
  const wal = async () =>
    Number((await clients[0].query("SELECT pg_current_wal_lsn() - '0/0' AS n")).rows[0].n)
  const before = {
    wal: await wal(),
    server: cpuOf(pid),
    driver: process.cpuUsage(),
    at: performance.now(),
  }
  const counts = await Promise.all(clients.map((client) => lane(client, statement)))
  const done = counts.reduce((sum, count) => sum + count, 0)
  if (done !== COUNT) throw new Error(`${done} of ${COUNT} tasks were run.`)
  const seconds = (performance.now() - before.at) / 1000
  const { user: own, system } = process.cpuUsage(before.driver)
  const result = {
    rate: done / seconds,
    server: (1000 * (cpuOf(pid) - before.server)) / done,
    driver: (own + system) / 1000 / done,
    wal: ((await wal()) - before.wal) / done,
    hot: await heapOnly(clients[0]),
  }
  for (const client of clients) client.release()
  await pool.end()
  return result
}

/** Claims, and hands in what it claimed before, until there is nothing left; gives the number of rows. */
async function lane(client, { text, names }) {
  let rows = []
  for (let count = 0; ; count += rows.length) {
    const values = {
      ...outcomesOf(rows),
      limit: SIZE,
      backendName: 'default',
      queues: 'default',
      worker: 'bench',
      leaseSeconds: 30,
    }
    const parameters = names.map((name) => values[name] ?? null)
    const answer = await client.query({ name: 'exchange', text, values: parameters })
    rows = answer.rows.filter((row) => row.row_key !== null)
    if (rows.length === 0) return count
  }
}

function outcomesOf(rows) {
  const sorted = rows.toSorted((a, b) => (a.row_key < b.row_key ? -1 : 1))
  return {
    row_key: `{${sorted.map((row) => row.row_key).join(',')}}`,
    claims: `{${sorted.map((row) => row.claims).join(',')}}`,
    return_value: `{${sorted.map(() => '"null"').join(',')}}`,
  }
}

function numbered(named) {
  const names = []
  const known =
    /(?<!:):(row_key|claims|status|return_value|exception_class_path|traceback|attempt_errors|progress|delay|limit|backendName|queues|worker|leaseSeconds)\b/g
  const text = named.replace(known, (_, name) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 1}`
  })
  return { text, names }
}

/** The share of all updates; the statistics of a connection are written when it has nothing to do for a moment. */
async function heapOnly(client) {
  await client.query('SELECT pg_sleep(1.2)')
  const { rows } = await client.query(
    "SELECT n_tup_hot_upd::float8 / greatest(n_tup_upd, 1) AS share FROM pg_stat_user_tables WHERE relname = 'db_task_result'",
  )
  return rows[0].share
}
