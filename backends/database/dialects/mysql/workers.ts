import {
  insertRecord,
  isOlder,
  OUTDATED_LEASES,
  recordTexts,
  renewal,
  SqlWorkerRecords,
} from '../worker-records'
import { NOW } from './columns'

const VALUES = {
  running: ':running',
  seen_at: NOW,
  event_loop_delay_ms: ':eventLoopDelayMs',
  rss_mib: ':rssMib',
}

const AGO_MS = `TIMESTAMPDIFF(MICROSECOND, seen_at, ${NOW}) / 1000`

/** No INSERT of MySQL can also look at other rows: that is a second statement. */
export class MySqlWorkers extends SqlWorkerRecords {
  constructor(path: string) {
    const insert = insertRecord(path, {
      started_at: `${NOW} - INTERVAL (:upMs * 1000) MICROSECOND`,
      seen_at: NOW,
    })
    super({
      beat: `${insert} ON DUPLICATE KEY UPDATE ${renewal((name) => VALUES[name])}`,
      look: `SELECT count(*) AS expired, coalesce(sum(${isOlder(AGO_MS, OUTDATED_LEASES)}), 0) AS outdated
        FROM ${path} WHERE backend = :backend AND id <> :id AND ${isOlder(AGO_MS, 1)}`,
      ...recordTexts(path, AGO_MS),
    })
  }
}
