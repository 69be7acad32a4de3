import { type FreedBy, keyAfter } from '../keys'
import type { Connection } from './connection'
import { Script } from './script'

/** Lets go of a unique key, if that job still has it. */
const FREE = new Script<number>(
  'freeKey',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`,
)

/** Where BullMQ keeps who holds a unique key. */
export function keyOf({ names }: Connection, uniqueKey: string): string {
  return `${names.keys}:${uniqueKey}`
}

/**
 * Frees the key of a job, if what has become of the job frees keys of its kind. Nobody waits for it: a key that is left over is
 * found to be free by the next enqueue with it.
 */
export function freeKey(
  connection: Connection,
  what: FreedBy,
  uniqueKey: string,
  id: string,
): void {
  if (keyAfter(what, uniqueKey) === null) void letGo(connection, uniqueKey, id).catch(() => {})
}

/** Frees the key, whatever its kind. Resolves to whether that job had it. */
export async function letGo(
  connection: Connection,
  uniqueKey: string,
  id: string,
): Promise<boolean> {
  return (await FREE.run(connection.client, [keyOf(connection, uniqueKey)], [id])) === 1
}
