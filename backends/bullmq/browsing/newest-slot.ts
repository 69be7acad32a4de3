import type { SlotRow } from '../../../lib/row/slot'
import { slotKey } from '../../../lib/row/slot'
import { valuesOf } from '../../database/row'
import { storedKey } from '../../keys'
import type { Connection } from '../connection'
import { rawOf } from '../job'
import { jobById } from '../read'
import { keyOf } from '../unique-keys'

/**
 * The newest slot of a schedule that was enqueued. It has had its turn, so it is told also if its job is gone, as if that had
 * ended well.
 */
export async function newestSlot(
  connection: Connection,
  schedule: string,
  { alias, queues }: { readonly alias: string; readonly queues: readonly string[] },
): Promise<SlotRow | null> {
  const { client, names } = connection
  const score = await client.zscore(names.slots, schedule)
  if (score === null) return null
  const at = Number(score)
  const key = storedKey({ kind: 'slot', key: slotKey(schedule, at) }) ?? ''
  const id = await client.get(keyOf(connection, key))
  const job = id === null ? undefined : await jobById(connection, queues, id)
  if (!job) return { at: new Date(at), status: 'SUCCESSFUL', finishedAt: null }
  const { status, finishedAt } = valuesOf(rawOf(job, alias))
  return { at: new Date(at), status, finishedAt }
}
