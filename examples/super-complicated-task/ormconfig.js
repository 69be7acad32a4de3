import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'

export const dataSource = new DataSource({
  type: 'better-sqlite3',
  database: 'demo.sqlite',
  enableWAL: true,
  entities: [DBTaskResult],
  migrations: ['migrations/*.js'],
})

export const TASKS = configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    OPTIONS: { dataSource },
  },
})
