import { randomUUID } from 'node:crypto'
import type { Connection } from '../connection'
import { Script } from '../script'

/** For how long Redis knows the answer of a call, in ms: longer than any client tries to send it again. */
const KNOWN_MS = 60_000

/**
 * A script whose answer tells whether this call has changed something. ioredis sends a command again whose answer was lost with the
 * connection, and what has changed already would be told as unchanged. So each call has an id, by which Redis gives the first answer again.
 */
export class OnceScript<Reply extends string | number> {
  readonly #script: Script<Reply>

  constructor(name: string, body: string) {
    this.#script = new Script(name, around(body))
  }

  run(
    { client, names }: Pick<Connection, 'client' | 'names'>,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    return this.#script.run(client, [...keys, names.own('call', randomUUID())], args)
  }
}

/** Where nothing was changed and the memory is full, the answer cannot be kept, and need not be. */
function around(body: string): string {
  return `
local known = redis.call('GET', KEYS[#KEYS])
if known then return cjson.decode(known)[1] end
local function work()
${body}
end
local answer = work()
redis.pcall('SET', KEYS[#KEYS], cjson.encode({ answer }), 'PX', ${KNOWN_MS})
return answer`
}
