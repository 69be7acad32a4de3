export { DatabaseBackend, DatabaseOptions } from './backend'
export { setDefaultDataSource } from './place'
export { atomic } from './ambient-transaction'
