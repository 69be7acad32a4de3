import { instant } from './instants'
import {
  insertRecord,
  isOlder,
  OUTDATED_LEASES,
  recordTexts,
  renewal,
  SqlWorkerRecords,
} from '../worker-records'

const MS_PER_DAY = 86_400_000
const AGO_MS = `(julianday('now') - julianday(seen_at)) * ${MS_PER_DAY}`

/** The heartbeat and the look at the others are one statement. */
export class SqliteWorkers extends SqlWorkerRecords {
  constructor(path: string) {
    const insert = insertRecord(path, {
      started_at: instant("'-' || (:upMs / 1000.0) || ' seconds'"),
      seen_at: instant(),
    })
    const others = (leases: number): string =>
      `(SELECT count(*) FROM ${path} WHERE backend = :backend AND id <> :id AND ${isOlder(AGO_MS, leases)})`
    super({
      beat: `${insert} ON CONFLICT (id) DO UPDATE SET ${renewal((name) => `excluded.${name}`)}
        RETURNING ${others(1)} AS expired, ${others(OUTDATED_LEASES)} AS outdated`,
      ...recordTexts(path, AGO_MS),
    })
  }
}
