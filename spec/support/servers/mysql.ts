import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { install, said, searchPath } from './binaries'
import {
  create,
  drop,
  initSql,
  query,
  queryAt,
  version,
  versionAt,
  type Login,
} from './mysql-family'
import type { Place } from './place'
import { Server, type Address, type Recipe } from './server'

const SCRIPT = join(__dirname, '../../../scripts/mysql-server.sh')

export const mySqlHint =
  'Fetch it: scripts/mysql-server.sh fetch (needs apt and the package debian-archive-keyring, installs nothing); or set MYSQL_BIN to the folder of a mysqld, or MYSQL_URL to a running server.'

/** A server that gives databases: that of MYSQL_URL, which is neither started nor stopped, else one of the spec's own. */
export async function openMySql(): Promise<Server | ExistingMySql> {
  const url = process.env['MYSQL_URL']
  return url === undefined ? await startMySql() : await ExistingMySql.at(url)
}

/** Starts a MySQL of the spec's own; its data is in `parent`, which is the folder for temporary ones unless told. */
export async function startMySql(parent?: string, more: readonly string[] = []): Promise<Server> {
  const program = findMySql()
  if (program === undefined)
    throw new Error(`No mysqld was found to start a server with. ${mySqlHint}`)
  return await Server.start(recipe(program, more), parent)
}

/** Whether specs can have databases of MySQL. */
export function hasMySql(): boolean {
  return process.env['MYSQL_URL'] !== undefined || findMySql() !== undefined
}

/** The path of mysqld: in the folder MYSQL_BIN, else on this machine if it is no MariaDB, else as scripts/mysql-server.sh fetched it. */
export function findMySql(): string | undefined {
  const chosen = process.env['MYSQL_BIN']
  const found = (chosen === undefined ? searchPath() : [chosen])
    .map((folder) => join(folder, 'mysqld'))
    .find(isMySql)
  return found ?? (chosen === undefined ? said(SCRIPT, 'program') : undefined)
}

function isMySql(program: string): boolean {
  return (
    existsSync(program) &&
    said(program, '--no-defaults', '--version')?.includes('MariaDB') === false
  )
}

// As for MariaDB: a killed server must keep what it committed, a power cut need not be survived, the time zone is odd on purpose.
const settings = [
  '--bind-address=127.0.0.1',
  '--mysqlx=OFF',
  '--disable-log-bin',
  '--max-connections=300',
  '--default-time-zone=-03:30',
  '--performance-schema=OFF',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-doublewrite=OFF',
  '--innodb-flush-method=nosync',
  '--innodb-buffer-pool-size=128M',
  '--innodb-redo-log-capacity=64M',
]

function recipe(program: string, more: readonly string[]): Recipe {
  return {
    name: 'mysql',
    account: 'mysql',
    crash: 'SIGKILL',
    quit: 'SIGTERM',
    async install(place) {
      writeFileSync(join(place.folder, 'init.sql'), initSql)
      await makeData(program, place)
    },
    command: (place, port) => [
      program,
      '--no-defaults',
      `--datadir=${join(place.folder, 'data')}`,
      `--port=${port}`,
      `--socket=${join(place.folder, 'socket')}`,
      `--tmpdir=${place.folder}`,
      `--pid-file=${join(place.folder, 'own-pid')}`,
      `--init-file=${join(place.folder, 'init.sql')}`,
      ...settings,
      ...more,
    ],
    query,
    version,
    create,
    drop,
  }
}

/** Copies the empty data folder that an earlier run made with this version, else makes it (measured on a busy machine: a start takes 2.9 s in place of 10.4). */
async function makeData(program: string, place: Place): Promise<void> {
  const data = join(place.folder, 'data')
  const kept = join(
    said(SCRIPT, 'folder') ?? '',
    `data-${said(program, '--no-defaults', '--version')?.match(/Ver (\S+)/)?.[1] ?? 'unknown'}`,
  )
  if (existsSync(kept)) return await install(place, 'cp', '-R', kept, data)
  await install(
    place,
    program,
    '--no-defaults',
    `--datadir=${data}`,
    '--initialize-insecure',
    ...settings,
  )
  await keepData(data, kept).catch(() => undefined) // It only saves time: a folder that cannot be written is no fault of the specs.
}

/** Copies the data folder to where later runs look for it; it appears there at once and whole, whatever happens meanwhile. */
async function keepData(data: string, kept: string): Promise<void> {
  const growing = `${kept}.${process.pid}`
  try {
    execFileSync('mkdir', ['-p', join(kept, '..')])
    execFileSync('cp', ['-a', data, growing], { stdio: 'ignore' })
    await rename(growing, kept)
  } finally {
    await rm(growing, { recursive: true, force: true })
  }
}

/** The server of MYSQL_URL. Only databases of this run's own are created there, and dropped. */
class ExistingMySql {
  static async at(url: string): Promise<ExistingMySql> {
    const { hostname, port, username, password } = new URL(url)
    const login = {
      host: hostname,
      port: Number(port || 3306),
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
    }
    return new ExistingMySql(login, await versionAt(login))
  }

  readonly version: string
  readonly #login: Login
  readonly #made = new Set<string>()
  #count = 0

  private constructor(login: Login, serverVersion: string) {
    this.#login = login
    this.version = serverVersion
  }

  async fresh(): Promise<Address> {
    const database = `typeorm_tasks_spec_${process.pid}_${++this.#count}`
    await queryAt(this.#login, create(database))
    this.#made.add(database)
    return { ...this.#login, database }
  }

  async drop(database: string): Promise<void> {
    await queryAt(this.#login, drop(database))
    this.#made.delete(database)
  }

  async stop(): Promise<void> {
    for (const database of this.#made) await this.drop(database)
  }
}
