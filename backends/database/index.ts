export { DatabaseBackend, DatabaseOptions } from './backend'
export { atomic, setDefaultDataSource } from './place'
