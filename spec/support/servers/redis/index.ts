// Redis servers that a spec starts for itself, and may kill.
export { findRedis, redisHint } from './program'
export { startRedis, type RedisServer, type RedisSettings } from './server'
