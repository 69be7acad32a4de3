import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { folderWith, password, startServer, user } from './server.mjs'

/** A pooler that gives a connection of the server for one transaction only. */
export async function startPgBouncer({ port: serverPort }, poolSize) {
  const found = folderWith([], 'pgbouncer')
  if (found === undefined)
    throw new Error('PgBouncer is missing. Install it, for instance: apt-get install pgbouncer')
  const bouncer = await startServer({
    name: 'pgbouncer',
    account: 'postgres',
    install: ({ folder }) =>
      writeFileSync(join(folder, 'users'), `"${user}" "${password}"\n`, { mode: 0o644 }),
    command(place, port) {
      const settings = join(place.folder, 'settings')
      writeFileSync(settings, settingsOf(place, { serverPort, port, poolSize }), { mode: 0o644 })
      return [join(found, 'pgbouncer'), settings]
    },
    version: async (port) => (await ask(port, 'SHOW VERSION'))[0].version,
  })
  return { ...bouncer, ask: (command) => ask(bouncer.port, command) }
}

function settingsOf({ folder }, { serverPort, port, poolSize }) {
  return `[databases]
* = host=127.0.0.1 port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users')}
admin_users = ${user}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 2000
server_idle_timeout = 10
`
}

/** The console of the pooler. */
async function ask(port, command) {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'pgbouncer' })
  client.on('error', () => {}) // the failing call tells it
  await client.connect()
  try {
    return (await client.query(command)).rows
  } finally {
    await client.end()
  }
}
