import type { Names } from '../names'
import type { FlowWords } from '../flow-rows'
import { instantText, PARKED } from './columns'

export function flowWords({ isBackend }: Names, batch: FlowWords['batch']): FlowWords {
  return {
    now: 'statement_timestamp()',
    parked: PARKED,
    isBackend: `m.${isBackend}`,
    byKeys: 'id = ANY((SELECT :row_key::uuid[])::uuid[])',
    id: 'm.id::text',
    asText: (column) => `${column}::text`,
    instantText,
    instant: (parameter) => `(${parameter}::text || '+00')::timestamptz`,
    batch,
  }
}
