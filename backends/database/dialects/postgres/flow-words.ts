import type { Names } from '../names'
import type { FlowWords } from '../flow-rows'
import { instantText, PARKED } from './columns'

export function flowWords({ isBackend }: Names, batch: FlowWords['batch']): FlowWords {
  return {
    now: 'statement_timestamp()',
    parked: PARKED,
    isBackend: `m.${isBackend}`,
    byKeys: 'id = ANY((SELECT :row_key::uuid[])::uuid[])',
    exactKey: `m.unique_key COLLATE "C"`,
    opaque: halfOfAll,
    id: 'm.id::text',
    asText: (column) => `${column}::text`,
    instantText,
    instant: (parameter) => `(${parameter}::text || '+00')::timestamptz`,
    batch,
  }
}

/**
 * PostgreSQL assumes that a CASE holds for half of the rows, so the first one for which it does is near the beginning of a
 * range: the index is walked up to there. Of the condition itself it assumes, without statistics, that it holds for next to
 * no row, and sorts the whole range (measured with 20,000 members: 13 ms instead of 0.03).
 */
function halfOfAll(condition: string): string {
  return `CASE WHEN ${condition} THEN TRUE ELSE FALSE END`
}
