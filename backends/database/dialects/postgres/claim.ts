import type { QueueFilter } from '../dialect'
import { MAX_CLAIMS } from '../../row'
import type { Names } from '../names'
import { CLAIMED, NO_DELAY, type rows, STARTED_AT } from './columns'
import { finishOf } from './finish'

export interface ClaimTexts {
  readonly claim: string
  /** Stores outcomes and claims, in one statement. */
  readonly finishAndClaim: string
}

/**
 * Behind a SELECT, so that it is as unknown to a plan for these values as to one for all: they cost alike, and PostgreSQL
 * keeps the latter (measured: it saves 1 to 2 ms of planning each time).
 * For an unknown limit it assumes that a tenth of all rows is wanted, at each of a hundred priorities, and compiles what
 * seems so expensive (measured: 20 ms each time, with 100,000 READY). `priority + 0 = priority`, which is always true where
 * there is one, makes it take them for one.
 */
const LIMIT = '(SELECT :limit::int)'

/** The texts that claim rows of the queues of a filter. */
export function claimTexts(
  path: string,
  filter: QueueFilter,
  names: Names,
  batch: typeof rows,
): ClaimTexts {
  const best = bestRows(path, filter, names)
  const take = takeRows(path)
  return {
    claim: `WITH RECURSIVE ${best}, taken AS (${take}) SELECT ${STARTED_AT}, taken.* FROM taken`,
    // Rows that it finishes it does not see as READY: all of it looks at one instant.
    finishAndClaim: `WITH RECURSIVE done AS (${finishOf(path, batch)} RETURNING 1), ${best}, taken AS (${take})
      SELECT (SELECT count(*)::int FROM done) AS done, ${STARTED_AT}, taken.* FROM (SELECT 1) one LEFT JOIN taken ON true`,
  }
}

/**
 * In Django's order: priority, then due delayed rows, then undelayed ones. Rows that wait for the future stand
 * between the last two, so one walk in index order would pass all of them. Hence a walk from priority to priority
 * (each step one look into the index), and in each two ranges. Nothing is sorted, and nothing is read that is not needed.
 */
function bestRows(path: string, filter: QueueFilter, names: Names): string {
  const range = (runAfter: string): string => `SELECT r.id FROM (SELECT c.id FROM ${path} c
      WHERE c.status = 'READY' AND c.priority = levels.priority AND c.run_after ${runAfter} AND c.${names.isBackend} ${names.inQueues(filter)}
      ORDER BY c.run_after, c.enqueued_at LIMIT ${LIMIT} FOR UPDATE SKIP LOCKED) r`
  return `levels AS (
        (SELECT c.priority FROM ${path} c WHERE c.status = 'READY' ORDER BY c.priority DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT c.priority FROM ${path} c WHERE c.status = 'READY' AND c.priority < levels.priority ORDER BY c.priority DESC LIMIT 1)
        FROM levels WHERE levels.priority IS NOT NULL
      ), best AS MATERIALIZED (
        SELECT ready.id FROM (SELECT l.priority FROM levels l WHERE l.priority + 0 = l.priority) levels CROSS JOIN LATERAL (${range('<= statement_timestamp()')} UNION ALL ${range(`= ${NO_DELAY}`)}) ready LIMIT ${LIMIT}
      )`
}

function takeRows(path: string): string {
  return `UPDATE ${path} t SET status = 'RUNNING', started_at = statement_timestamp(), worker_ids = t.worker_ids || jsonb_build_array(:worker::text),
        claims = least(coalesce(t.claims, 0) + 1::bigint, ${MAX_CLAIMS}), lease_until = statement_timestamp() + :leaseSeconds::double precision * INTERVAL '1 second', cancel_requested_at = NULL
      FROM unnest(ARRAY(SELECT best.id FROM best)) WITH ORDINALITY AS b(id, n) WHERE t.id = b.id AND b.n + 0 = b.n AND t.status || '' = 'READY'
      RETURNING ${CLAIMED}`
}
