import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { DataSourceOptions } from 'typeorm'
import { familyOf } from '../../../entities/database-family'

/** What tells databases apart, whatever their type. */
const PLACES = [
  'socketPath',
  'instanceName',
  'connectString',
  'serviceName',
  'sid',
  'projectId',
  'instanceId',
  'databaseId',
  'resourceArn',
  'region',
  'location',
] as const

const PORTS: Readonly<Record<string, number>> = {
  postgres: 5432,
  cockroachdb: 26257,
  mysql: 3306,
  mssql: 1433,
  oracle: 1521,
}

/**
 * The type and the address of a database, without user and password: the same for all DataSources whose options lead to the
 * same database. Of SQLite the file; one in memory has no address.
 */
export function addressOf(options: DataSourceOptions): string {
  const type = options.type === 'mariadb' ? 'mysql' : options.type
  const { host, port, database, ...more } = wholeOf(options as unknown as Given)
  if (familyOf(type) === 'sqlite') return `${type} ${fileOf(textOf(database))}`
  const at = `${hostOf(textOf(host))}:${textOf(port) || (PORTS[type] ?? '')}/${textOf(database)}`
  const others = PLACES.map((key) => textOf(more[key])).filter((text) => text !== '')
  return [type, at, ...others].join(' ')
}

/** The same for all processes of one host: there a socket of a server leads to where its port does. */
export function addressOnHost(options: DataSourceOptions, port: string | undefined): string {
  const { socketPath, database } = wholeOf(options as unknown as Given)
  if (textOf(socketPath) === '' || port === undefined) return addressOf(options)
  return `mysql localhost:${port}/${textOf(database)}`
}

type Given = Readonly<Record<string, unknown>>

/** With what TypeORM and the drivers let come before what: the primary, the URL, `extra`. */
function wholeOf(options: Given): Given {
  const { master } = (options['replication'] ?? {}) as { master?: Given }
  const primary = { ...options, ...master }
  const extra = (options['extra'] ?? {}) as Given
  // SQL Server has some of its options in an object of that name.
  const inner = (options['options'] ?? {}) as Given
  return {
    ...primary,
    ...inUrl(primary['url']),
    ...inner,
    ...extra,
    ...inUrl(extra['connectionString'] ?? extra['uri']),
  }
}

function inUrl(url: unknown): Given {
  if (typeof url !== 'string' || !URL.canParse(url)) return {}
  const { hostname, port, pathname } = new URL(url)
  return {
    ...(hostname !== '' && { host: decodeURIComponent(hostname) }),
    ...(port !== '' && { port }),
    ...(pathname.length > 1 && { database: decodeURIComponent(pathname.slice(1)) }),
  }
}

function hostOf(host: string): string {
  const given = host.toLowerCase()
  return ['', '127.0.0.1', '::1', '[::1]'].includes(given) ? 'localhost' : given
}

/** What a plain option says; of objects and functions nothing. */
function textOf(option: unknown): string {
  return typeof option === 'string' || typeof option === 'number' ? String(option) : ''
}

/** The file may be a link, or may not be there yet. */
function fileOf(path: string): string {
  const file = resolve(path)
  try {
    return realpathSync(file)
  } catch {
    return inRealFolder(file)
  }
}

function inRealFolder(file: string): string {
  try {
    return join(realpathSync(dirname(file)), basename(file))
  } catch {
    return file
  }
}
