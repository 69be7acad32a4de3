import 'reflect-metadata'
import { join } from 'node:path'
import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { Extraction } from './extraction.entity'

export const dataSource = new DataSource({
  type: 'better-sqlite3',
  database: 'app.sqlite',
  enableWAL: true,
  entities: [Extraction, DBTaskResult],
  migrations: [join(__dirname, 'migrations/*.{ts,js}')],
})

export const TASKS = configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    OPTIONS: { dataSource },
  },
})
