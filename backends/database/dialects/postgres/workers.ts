import {
  insertRecord,
  isOlder,
  OUTDATED_LEASES,
  recordTexts,
  renewal,
  SqlWorkerRecords,
} from '../worker-records'

const NOW = 'statement_timestamp()'

const AGO_MS = `(extract(epoch FROM ${NOW} - seen_at) * 1000)::double precision`

/** The heartbeat and the look at the others are one statement. */
export class PostgresWorkers extends SqlWorkerRecords {
  constructor(path: string) {
    const insert = insertRecord(path, {
      queues: ':queues::jsonb',
      started_at: `${NOW} - :upMs::double precision * INTERVAL '1 millisecond'`,
      seen_at: NOW,
    })
    // CockroachDB refuses a part that returns nothing.
    super({
      beat: `WITH beat AS (${insert} ON CONFLICT (id) DO UPDATE SET ${renewal((name) => `excluded.${name}`)} RETURNING id)
        SELECT count(*)::int AS expired, (count(*) FILTER (WHERE ${isOlder(AGO_MS, OUTDATED_LEASES)}))::int AS outdated
        FROM ${path} WHERE backend = :backend AND id <> :id AND ${isOlder(AGO_MS, 1)}`,
      ...recordTexts(path, AGO_MS),
    })
  }
}
