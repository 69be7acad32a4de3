// Redis servers that a spec starts for itself, and may kill.
export { findRedis, redisHint } from './program'
export { startRedisCluster, type RedisCluster } from './cluster'
export { startSentinel, type RedisSentinel } from './sentinel'
export { startRedis, type RedisServer, type RedisSettings } from './server'
