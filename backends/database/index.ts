export { DatabaseBackend } from './backend'
export { DatabaseOptions } from './database-options'
export { setDefaultDataSource } from './place'
export { atomic } from './ambient-transaction'
