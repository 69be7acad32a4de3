import { instantText, NO_DELAY, NOW, PARKED, read } from '../mysql/columns'
import type { BrowseWords } from './words'

export const mysql: BrowseWords = {
  now: NOW,
  parked: PARKED,
  noDelay: NO_DELAY,
  read,
  key: (id) => `CAST(${id} AS CHAR)`,
  isSmall: (column, bytes) => `LENGTH(${column}) <= ${bytes}`,
  asText: (column) => `CAST(${column} AS CHAR)`,
  instantText,
  instant: (parameter) => parameter,
  part: (select) => `(${select})`,
  indexesRunning: true,
  // MySQL tells numbers of rows that are up to a day old, unless it is asked for new ones.
  limit: (ms, isMariaDb) =>
    isMariaDb
      ? `SET SESSION max_statement_time = ${ms / 1000}`
      : `SET SESSION max_execution_time = ${ms}, information_schema_stats_expiry = 0`,
}
