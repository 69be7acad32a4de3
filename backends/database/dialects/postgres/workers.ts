import {
  insertRecord,
  OUTDATED_LEASES,
  recordTexts,
  renewal,
  SqlWorkerRecords,
} from '../worker-records'

const NOW = 'statement_timestamp()'

function isOlder(leases: number): string {
  return `seen_at + ${leases} * lease_ms * INTERVAL '1 millisecond' < ${NOW}`
}

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
        SELECT count(*)::int AS expired, (count(*) FILTER (WHERE ${isOlder(OUTDATED_LEASES)}))::int AS outdated
        FROM ${path} WHERE backend = :backend AND id <> :id AND ${isOlder(1)}`,
      ...recordTexts(path, isOlder),
    })
  }
}
