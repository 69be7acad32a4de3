export { DatabaseBackend } from './backend'
export { DatabaseOptions } from './options'
export { setDefaultDataSource } from './place'
export { atomic } from './ambient-transaction'
