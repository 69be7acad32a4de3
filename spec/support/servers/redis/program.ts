import { join } from 'node:path'
import { folderWith, searchPath } from '../binaries'

export const redisHint = 'Install it, for instance: apt-get install redis-server'

/** The program: REDIS_BIN's folder, else this machine's. */
export function findRedis(): string | undefined {
  const chosen = process.env['REDIS_BIN']
  const folder = folderWith(chosen === undefined ? searchPath() : [chosen], 'redis-server')
  return folder === undefined ? undefined : join(folder, 'redis-server')
}

/** The program, or an error that tells how to get it. */
export function redisProgram(): string {
  const program = findRedis()
  if (program === undefined) throw new Error(`Redis is missing. ${redisHint}`)
  return program
}
