import 'reflect-metadata'
import { join } from 'node:path'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { Report } from './report.entity'

const database: DataSourceOptions =
  process.env['DB'] === 'postgres'
    ? { type: 'postgres', url: process.env['DATABASE_URL'] ?? 'postgres://localhost/reports' }
    : { type: 'better-sqlite3', database: 'app.sqlite', enableWAL: true }

export const dataSource = new DataSource({
  ...database,
  entities: [Report, DBTaskResult],
  migrations: [join(__dirname, 'migrations', database.type, '*.{ts,js}')],
})

export const TASKS = configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    // A short lease, so that you need not wait for long after you have killed a worker. The default is 30 s.
    OPTIONS: { dataSource, leaseSeconds: 5 },
  },
})
