import { instantText, NO_DELAY, PARKED, read } from '../postgres/columns'
import type { BrowseWords } from './words'

/** Statements that take too long are cancelled from outside: a setting would stay behind at a pooler. */
export const postgres: BrowseWords = {
  now: 'statement_timestamp()',
  parked: PARKED,
  noDelay: NO_DELAY,
  read,
  key: (id) => `${id}::text`,
  // What is stored may be compressed, to a ninetieth at best.
  isSmall: (column, bytes) =>
    `(pg_column_size(${column}) <= ${Math.floor(bytes / 90)} OR (pg_column_size(${column}) <= ${bytes} AND octet_length(${column}::text) <= ${bytes}))`,
  asText: (column) => `${column}::text`,
  instantText,
  instant: (parameter) => `(${parameter}::text || '+00')::timestamptz`,
  part: (select) => `(${select})`,
  indexesRunning: false,
}
