import { DBTaskQueue } from './db-task-queue.entity'
import { DBTaskResult } from './db-task-result.entity'
import { DBTaskWorker } from './db-task-worker.entity'
import { OPTIONAL_ENTITIES } from './optional'

export { DBTaskQueue, DBTaskResult, DBTaskWorker }
export { dbTaskResultSchema } from './schema'

/** Every entity of the library: `entities: [User, ...taskEntities]`. */
export const taskEntities: (new () => object)[] = [DBTaskResult, ...OPTIONAL_ENTITIES]
