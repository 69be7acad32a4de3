import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'

export const dataSource = new DataSource({
  type: 'better-sqlite3',
  database: 'example.sqlite',
  enableWAL: true,
  entities: [DBTaskResult],
  // Makes the table. An app of its own has migrations for that: npx tasks makemigrations.
  synchronize: true,
})

export const TASKS = configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    OPTIONS: { dataSource, retention: { successful: 14 * 86_400_000, failed: 30 * 86_400_000 } },
  },
})
