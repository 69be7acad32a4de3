import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { folderWith, searchPath } from './binaries'
import { freePort } from './free-port'
import { makePlace, type Place } from './place'
import { user } from './server'

export const pgBouncerHint = 'Install it, for instance: apt-get install pgbouncer'

/** The program: PGBOUNCER_BIN's folder, else this machine's. */
export function findPgBouncer(): string | undefined {
  const chosen = process.env['PGBOUNCER_BIN']
  const folder = folderWith(chosen === undefined ? searchPath() : [chosen], 'pgbouncer')
  return folder === undefined ? undefined : join(folder, 'pgbouncer')
}

/** A pooler in front of a PostgreSQL: each transaction gets a connection of the server, no session outlives one. */
export interface PgBouncer {
  readonly port: number
  stop(): Promise<void>
}

export async function startPgBouncer(serverPort: number): Promise<PgBouncer> {
  const program = findPgBouncer()
  if (program === undefined) throw new Error(`PgBouncer is missing. ${pgBouncerHint}`)
  const place = makePlace('pgbouncer', 'postgres')
  const port = await freePort()
  writeFileSync(join(place.folder, 'users'), `"${user.username}" "${user.password}"\n`)
  writeFileSync(join(place.folder, 'settings'), settings(place, serverPort, port))
  const log = openSync(join(place.folder, 'log'), 'a')
  const child = spawn(program, [join(place.folder, 'settings')], {
    ...place.as,
    cwd: place.folder,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  await once(child, 'spawn')
  writeFileSync(place.pidFile, String(child.pid))
  const stop = async (): Promise<void> => {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.kill('SIGTERM')) await gone
    await rm(place.folder, { recursive: true, force: true })
    place.leave()
  }
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries > 200 || child.exitCode !== null) {
      const words = readFileSync(join(place.folder, 'log'), 'utf8')
      await stop()
      throw new Error(`PgBouncer did not start on port ${port}:\n${words}`)
    }
    await sleep(50)
  }
  return { port, stop }
}

// Few connections, so that sessions are mixed; those that nobody uses go soon.
function settings({ folder }: Place, serverPort: number, port: number): string {
  return `[databases]
* = host=127.0.0.1 port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users')}
pool_mode = transaction
default_pool_size = 4
max_client_conn = 300
server_idle_timeout = 1
`
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const tell = (isOpen: boolean) => (): void => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.on('connect', tell(true)).on('error', tell(false))
  })
}
