import type * as prunable from '../../database/flows/prunable-members'
import type { Connection } from '../connection'
import { RedisFlowRows } from '../flows/flow-rows'
import { FIELD } from '../job'
import { Script } from '../script'

/**
 * Of finished jobs of one queue those that are members of a flow, and those that are the newest slot of their schedule. KEYS:
 * slots. ARGV: what keys of jobs begin with, ids.
 */
const SPECIAL = new Script<readonly [members: string[], newest: string[]]>(
  'special',
  `
local members, newest = {}, {}
for i = 2, #ARGV do
  local fields = redis.call('HMGET', ARGV[1] .. ARGV[i], '${FIELD.member}', 'deid')
  if fields[1] then members[#members + 1] = ARGV[i] end
  local schedule, at = string.match(fields[2] or '', '^s(%x+)(%x%x%x%x%x%x%x%x%x%x%x%x)$')
  if schedule and redis.call('ZSCORE', KEYS[1], schedule) == string.format('%.0f', tonumber(at, 16)) then
    newest[#newest + 1] = ARGV[i]
  end
end
return { members, newest }`,
)

/**
 * Of finished jobs those that must stay whatever their age: somebody waits for what they have returned, or it is known by them
 * which slots of a schedule have had their turn.
 */
export async function keptOf(
  connection: Connection,
  alias: string,
  queue: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const { client, names } = connection
  const args = [names.job(queue, ''), ...ids]
  const [members, newest] = await SPECIAL.run(client, [names.slots], args)
  if (members.length === 0) return new Set(newest)
  const { withoutAwaited } = require('../../database/flows/prunable-members') as typeof prunable
  const rows = new RedisFlowRows(connection, alias)
  const free = new Set(await withoutAwaited(rows, members, false))
  return new Set([...newest, ...members.filter((id) => !free.has(id))])
}
