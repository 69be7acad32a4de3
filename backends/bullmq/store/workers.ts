import type { Heartbeat, WorkerRecord } from '../../../lib/store'
import type { Connection } from '../connection'
import { Script } from '../script'

/**
 * Writes the record of a worker, with the time by Redis' clock. Records of lost workers stay for two leases more: until then
 * leases of theirs may last. Answers whether one is lost.
 */
const BEAT = new Script<number>(
  'beat',
  `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local other = cjson.decode(all[i + 1])
  local silent = now - other.seenAt
  if all[i] ~= ARGV[1] and silent > other.leaseMs then
    lost = 1
    if silent > 3 * other.leaseMs then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], '{"seenAt":' .. string.format('%.0f', now) .. ',' .. string.sub(ARGV[2], 2))
return lost`,
)

/** The records of workers, in one hash. */
export class Workers implements Heartbeat {
  readonly #connection: Connection
  readonly #leaseMs: number

  constructor(connection: Connection, leaseMs: number) {
    this.#connection = connection
    this.#leaseMs = leaseMs
  }

  async beat(record: WorkerRecord): Promise<boolean> {
    const { client, names } = this.#connection
    const text = JSON.stringify({ leaseMs: this.#leaseMs, ...record })
    return (await BEAT.run(client, [names.own('workers')], [record.id, text])) === 1
  }

  async leave(id: string): Promise<void> {
    const { client, names } = this.#connection
    await client.hdel(names.own('workers'), id)
  }
}
