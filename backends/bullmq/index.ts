export { BullMQBackend } from './relay/bullmq-backend'
export { BullMQOptions, type Connection, type ClusterConnection } from './options'
