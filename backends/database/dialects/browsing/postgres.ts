import { instantText, NO_DELAY, PARKED, read } from '../postgres/columns'
import type { BrowseWords } from './words'

/** Statements that take too long are cancelled from outside: a setting would stay behind at a pooler. */
export const postgres: BrowseWords = {
  now: 'statement_timestamp()',
  parked: PARKED,
  noDelay: NO_DELAY,
  read,
  key: (id) => `${id}::text`,
  asText: (column) => `${column}::text`,
  instantText,
  instant: (parameter) => `(${parameter}::text || '+00')::timestamptz`,
  part: (select) => `(${select})`,
  indexesRunning: false,
}
