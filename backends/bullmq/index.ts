export { BullMQBackend } from './backend'
export { BullMQOptions, type Connection, type ClusterConnection } from './options'
