export { DatabaseBackend, DatabaseOptions } from './backend'
export { setDefaultDataSource } from './data-source'
export { atomic } from './transactions'
