export { BullMQBackend } from './bullmq-backend'
export { BullMQOptions, type Connection, type ClusterConnection } from './options'
