export { DBTaskResult } from './db-task-result.entity'
export { dbTaskResultSchema } from './schema'
