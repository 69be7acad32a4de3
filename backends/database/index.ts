export { DatabaseBackend, DatabaseOptions } from './backend'
export { setDefaultDataSource } from './connections/data-source'
export { atomic } from './ambient-transaction'
