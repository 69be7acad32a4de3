export { ShardedBackend } from './backend'
export type { ShardedOptions, ShardedOrder } from './options'
export { ShardError } from './shard-error'
export { shardOf } from './shard-of'
