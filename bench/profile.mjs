// Where the time of a drain goes: `node bench/profile.mjs 'postgres/typeorm-tasks best' [tasks]`; names as in contenders/index.mjs.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepare, repository } from './lib/prepare.mjs'

const TOP = 30
const [name = 'postgres/typeorm-tasks', count = '20000'] = process.argv.slice(2)
process.env.BENCH_POSTGRES ??= 'shared_preload_libraries=pg_stat_statements'
prepare()

const { entries } = await import('./contenders/index.mjs')
const { Child } = await import('./lib/child.mjs')
const { Servers } = await import('./servers/index.mjs')
const { filled } = await import('./measures/drain.mjs')

const entry = entries.find(({ database, who }) => `${database}/${who}` === name)
if (entry === undefined)
  throw new Error(
    `There is no "${name}", but ${entries.map(({ database, who }) => `${database}/${who}`).join(', ')}.`,
  )
const servers = new Servers()
try {
  await servers.withDatabase(entry.server, profiled)
} finally {
  await servers.stop()
}

async function profiled(address, server) {
  await filled(entry, address, 1.1 * Number(count))
  if (entry.server === 'postgres')
    await server.query('CREATE EXTENSION pg_stat_statements', address.database)
  const folder = mkdtempSync(join(tmpdir(), 'tasks-bench-profile-'))
  const child = await Child.start(entry.contender, address, entry.settings, [
    '--cpu-prof',
    `--cpu-prof-dir=${folder}`,
  ])
  console.log(await child.ask('drain', { warm: Number(count) / 10, count: Number(count) }))
  await child.leave()
  for (const line of selfTimes(readProfile(folder))) console.log(line)
  rmSync(folder, { recursive: true })
  if (entry.server === 'postgres')
    for (const line of await statements(server, address)) console.log(line)
}

function readProfile(folder) {
  const profiles = readdirSync(folder).map((file) =>
    JSON.parse(readFileSync(join(folder, file), 'utf8')),
  )
  return profiles.toSorted((a, b) => b.samples.length - a.samples.length)[0]
}

/** The functions that most samples were taken in. */
function selfTimes({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const times = new Map()
  for (const [i, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id).callFrame
    const key = `${functionName || '(anonymous)'} ${url.replace('file://', '').replace(repository, '')}${url === '' ? '' : `:${lineNumber + 1}`}`
    times.set(key, (times.get(key) ?? 0) + timeDeltas[i])
  }
  const idle = [...times]
    .filter(([key]) => /^\((idle|program)\)/.test(key))
    .reduce((sum, [, time]) => sum + time, 0)
  const busy = [...times.values()].reduce((sum, time) => sum + time, 0) - idle
  const top = [...times]
    .filter(([key]) => !/^\((idle|program)\)/.test(key))
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, TOP)
  return [
    `${(busy / 1e6).toFixed(2)} s in JavaScript, ${(idle / 1e6).toFixed(2)} s idle or native`,
    ...top.map(([key, time]) => `${((100 * time) / busy).toFixed(1).padStart(5)} %  ${key}`),
  ]
}

async function statements(server, { database }) {
  const rows = await server.query(
    `SELECT calls, round(total_exec_time) AS ms, round((total_exec_time / calls)::numeric, 3) AS each, round((total_plan_time)::numeric) AS plan, rows, shared_blks_hit + shared_blks_read AS blocks, wal_bytes, left(regexp_replace(query, '\\s+', ' ', 'g'), 110) AS query
     FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '${database}') ORDER BY total_exec_time DESC LIMIT 8`,
    database,
  )
  return rows.map(
    ({ calls, ms, each, rows: touched, blocks, wal_bytes: wal, query }) =>
      `${ms} ms in ${calls} calls (${each} each), ${touched} rows, ${blocks} blocks, ${wal} bytes of WAL: ${query}`,
  )
}
