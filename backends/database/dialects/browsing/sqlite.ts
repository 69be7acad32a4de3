import { AFTER_ALL, read } from '../sqlite/columns'
import type { BrowseWords } from './words'

/** A statement runs in this process, so that nobody could end it: only its rows are bounded. */
export const sqlite: BrowseWords = {
  now: AFTER_ALL,
  parked: "'9998-01-01 00:00:00'",
  noDelay: "'9999-01-01 00:00:00'",
  read,
  key: (id) => id,
  isSmall: (column, bytes) => `length(${column}) <= ${bytes}`,
  asText: (column) => `CAST(${column} AS TEXT)`,
  instantText: (column) => `CAST(${column} AS TEXT)`,
  instant: (parameter) => parameter,
  part: (select) => `SELECT * FROM (${select})`,
  indexesRunning: false,
}
