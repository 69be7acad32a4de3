import { keyAfterSql } from '../../../keys'
import type { QueueFilter } from '../dialect'
import { MAX_CLAIMS } from '../../row'
import type { Names } from '../names'
import { CLAIMED, headerOf } from './claimed'
import { EXACT_KEY, NO_DELAY, type rows } from './columns'
import { finishOf } from './finish'

export interface ClaimTexts {
  readonly claim: string
  /** Stores outcomes and claims, in one statement. */
  readonly finishAndClaim: string
}

/**
 * How a claim finds the rows again that it has locked: by their addresses (`ctid`), or by their ids where a database has no
 * addresses (measured: a tenth of the server's time, since each id is looked up in the index).
 */
export type FoundBy = 'ctid' | 'id'

/**
 * Behind a SELECT, so that it is as unknown to a plan for these values as to one for all: they cost alike, and PostgreSQL
 * keeps the latter (measured: it saves 1 to 2 ms of planning each time).
 * For an unknown limit it assumes that a tenth of all rows is wanted, at each of a hundred priorities, and compiles what
 * seems so expensive (measured: 20 ms each time, with 100,000 READY). `priority + 0 = priority`, which is always true where
 * there is one, makes it take them for one.
 */
const LIMIT = '(SELECT :limit::int)'

/** The texts that claim rows of the queues of a filter. Their first row is the header: `claims` is the number of stored outcomes. */
export function claimTexts(
  path: string,
  filter: QueueFilter,
  names: Names,
  batch: typeof rows,
  by: FoundBy,
): ClaimTexts {
  const best = bestRows(path, filter, names, by)
  const taken = `taken AS (${takeRows(path, by)})`
  const answer = (done: string): string => `SELECT ${headerOf(done)} UNION ALL SELECT * FROM taken`
  return {
    claim: `WITH RECURSIVE ${best}, ${taken} ${answer('0')}`,
    // Rows that it finishes it does not see as READY: all of it looks at one instant.
    finishAndClaim: `WITH RECURSIVE done AS (${finishOf(path, batch)} RETURNING 1), ${best}, ${taken} ${answer('(SELECT count(*)::int FROM done)')}`,
  }
}

/**
 * In Django's order: priority, then due delayed rows, then undelayed ones. Rows that wait for the future stand
 * between the last two, so one walk in index order would pass all of them. Hence a walk from priority to priority
 * (each step one look into the index), and in each two ranges. Nothing is sorted, and nothing is read that is not needed.
 */
function bestRows(path: string, filter: QueueFilter, names: Names, by: FoundBy): string {
  const own = by === 'ctid' ? 'c.ctid AS found, c.tableoid AS part' : 'c.id AS found'
  const found = by === 'ctid' ? 'found, r.part' : 'found'
  const range = (runAfter: string): string => `SELECT r.${found} FROM (SELECT ${own} FROM ${path} c
      WHERE c.status = 'READY' AND c.priority = levels.priority AND c.run_after ${runAfter} AND c.${names.isBackend} ${names.inQueues(filter)}
      ORDER BY c.run_after, c.enqueued_at LIMIT ${LIMIT} FOR UPDATE SKIP LOCKED) r`
  return `levels AS (
        (SELECT c.priority FROM ${path} c WHERE c.status = 'READY' ORDER BY c.priority DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT c.priority FROM ${path} c WHERE c.status = 'READY' AND c.priority < levels.priority ORDER BY c.priority DESC LIMIT 1)
        FROM levels WHERE levels.priority IS NOT NULL
      ), best AS MATERIALIZED (
        SELECT ready.* FROM (SELECT l.priority FROM levels l WHERE l.priority + 0 = l.priority) levels CROSS JOIN LATERAL (${range('<= statement_timestamp()')} UNION ALL ${range(`= ${NO_DELAY}`)}) ready LIMIT ${LIMIT}
      )`
}

/**
 * The rows are locked, so their addresses hold. In a table of several partitions an address means a row in each: one claim takes
 * rows of one partition.
 */
const BY_ADDRESS = `WHERE t.ctid = ANY(ARRAY(SELECT best.found FROM best WHERE best.part = (SELECT b.part FROM best b LIMIT 1)))
        AND t.tableoid = (SELECT b.part FROM best b LIMIT 1)`
const BY_ID = `FROM unnest(ARRAY(SELECT best.found FROM best)) WITH ORDINALITY AS b(id, n) WHERE t.id = b.id AND b.n + 0 = b.n`

function takeRows(path: string, by: FoundBy): string {
  return `UPDATE ${path} t SET status = 'RUNNING', started_at = statement_timestamp(), worker_ids = t.worker_ids || jsonb_build_array(:worker::text),
        claims = least(coalesce(t.claims, 0) + 1::bigint, ${MAX_CLAIMS}), lease_until = statement_timestamp() + :leaseSeconds::double precision * INTERVAL '1 second', cancel_requested_at = NULL,
        unique_key = ${keyAfterSql('claim', 't.unique_key', { exact: EXACT_KEY })}
      ${by === 'ctid' ? BY_ADDRESS : BY_ID} AND t.status || '' = 'READY'
      RETURNING ${CLAIMED}`
}
