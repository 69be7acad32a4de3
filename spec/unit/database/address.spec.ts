import type { DataSourceOptions } from 'typeorm'
import { join } from 'node:path'
import { addressOf } from '../../../backends/database/profiles/address'

const of = (options: object): string => addressOf(options as DataSourceOptions)

describe('the address of a database', () => {
  it.each([
    [
      'a URL and its parts',
      { type: 'postgres', url: 'postgres://me:secret@db.test:5433/shop?sslmode=require' },
      { type: 'postgres', host: 'DB.test', port: 5433, database: 'shop', username: 'other' },
    ],
    [
      'ports and hosts that are left out',
      { type: 'mysql', database: 'shop' },
      { type: 'mariadb', host: '127.0.0.1', port: 3306, database: 'shop' },
    ],
    [
      'a primary with replicas, and the primary alone',
      { type: 'postgres', replication: { master: { host: 'a', database: 'b' }, slaves: [] } },
      { type: 'postgres', url: 'postgres://a/b' },
    ],
    [
      'a connection string of the driver',
      { type: 'postgres', extra: { connectionString: 'postgres://me:secret@a/b' } },
      { type: 'postgres', host: 'a', database: 'b' },
    ],
    [
      'a file, by any path',
      { type: 'better-sqlite3', database: 'app.sqlite' },
      { type: 'better-sqlite3', database: join(process.cwd(), 'x/../app.sqlite') },
    ],
  ])('is the same by %s', (_, one, other) => {
    expect(of(one)).toBe(of(other))
    expect(of(one)).not.toContain('secret')
  })

  it.each([
    ['database', { type: 'postgres', database: 'a' }, { type: 'postgres', database: 'b' }],
    ['port', { type: 'postgres', port: 1 }, { type: 'postgres', port: 2 }],
    ['host', { type: 'mysql', host: 'a' }, { type: 'mysql', host: 'b' }],
    ['socket', { type: 'mysql', socketPath: '/a' }, { type: 'mysql', socketPath: '/b' }],
    ['file', { type: 'better-sqlite3', database: 'a' }, { type: 'better-sqlite3', database: 'b' }],
    [
      'instance of SQL Server',
      { type: 'mssql', options: { instanceName: 'a' } },
      { type: 'mssql', options: { instanceName: 'b' } },
    ],
    ['kind', { type: 'postgres', database: 'a' }, { type: 'mysql', database: 'a' }],
  ])('tells another %s apart', (_, one, other) => {
    expect(of(one)).not.toBe(of(other))
  })
})
