import type { ClaimedRaw } from '../../row'
import type { ClaimOwner } from '../dialect'
import { CLAIM_COLUMNS } from '../sql-text'
import { wholeOptionsSql } from '../../../keys'
import { EXACT_KEY, NO_DELAY, read, SMALL_ARGUMENTS } from './columns'

/** Seconds since 1970 as text: cheaper than `instantText` (measured: a twentieth of a claim). */
const secondsText = (time: string): string => `date_part('epoch', ${time})::text`

/** Columns that mostly say the same: together they are one column, which is NULL where all do. */
const SELDOM = CLAIM_COLUMNS.filter(({ name }) =>
  ['priority', 'worker_ids', 'run_after', 'attempt_errors', 'progress', 'options'].includes(name),
)
const USUALLY = `t.priority = 0 AND t.run_after = ${NO_DELAY} AND t.worker_ids = jsonb_build_array(:worker::text) AND t.attempt_errors IS NULL AND t.progress IS NULL`
/** The options as `wholeOptions` gives them. */
const WHOLE_OPTIONS = wholeOptionsSql('t.options::text', 't.unique_key', {
  exact: EXACT_KEY,
  joined: (...texts) => texts.join(' || '),
})
/** Of a row of a flow, or of a call with a policy of its own, the options alone: `=` and their text (measured: a fifth of a worker's time). */
const MORE = `CASE WHEN ${USUALLY} THEN '=' || ${WHOLE_OPTIONS} ELSE jsonb_build_object(${SELDOM.map((column) => `'${column.name}', ${column.name === 'options' ? WHOLE_OPTIONS : read(column)}`).join(', ')})::text END`

/**
 * What a claim reads of a row: few columns, since each costs on both sides (measured: a tenth of the server's time and a third of
 * the driver's). `claimedOf` gives them as a whole row.
 */
export const CLAIMED = `t.id::text AS row_key, t.claims AS claims, ${secondsText('t.enqueued_at')} AS enqueued_at, t.task_path AS task_path, t.queue_name AS queue_name, ${SMALL_ARGUMENTS} AS args_kwargs, ${MORE} AS more`

/** The row before the claimed ones: how many outcomes were stored, and the instant of the claim. */
export function headerOf(done: string): string {
  return `NULL::text AS row_key, ${done} AS claims, ${secondsText('statement_timestamp()')} AS enqueued_at, NULL::text AS task_path, NULL::text AS queue_name, NULL::text AS args_kwargs, NULL::text AS more`
}

/** A row as the database answers a claim. */
interface Answered extends Pick<ClaimedRaw, 'claims' | 'task_path' | 'queue_name' | 'args_kwargs'> {
  /** `secondsText`; of the header the instant of the claim. */
  readonly enqueued_at: string | null
  /** null: the header. */
  readonly row_key: string | null
  readonly more: string | null
}

type Seldom = Pick<
  ClaimedRaw,
  'priority' | 'worker_ids' | 'run_after' | 'attempt_errors' | 'progress' | 'options'
>

/** The answer to a claim of this worker: the number of outcomes that were stored, and the rows. */
export function claimedOf(
  records: readonly Answered[],
  { workerId, backendName }: ClaimOwner,
): { done: number; claimed: ClaimedRaw[] } {
  const usual: Seldom = {
    priority: 0,
    worker_ids: JSON.stringify([workerId]),
    run_after: null,
    attempt_errors: null,
    progress: null,
    options: null,
  }
  const header = records.find(({ row_key: key }) => key === null)
  const startedAt = millisecondsOf(header?.enqueued_at ?? null)
  const claimed: ClaimedRaw[] = []
  for (const {
    row_key: key,
    more,
    claims,
    enqueued_at,
    task_path,
    queue_name,
    args_kwargs,
  } of records) {
    if (key === null) continue
    const seldom = seldomOf(more, usual)
    claimed.push({
      row_key: key,
      claims,
      enqueued_at: millisecondsOf(enqueued_at),
      started_at: startedAt,
      task_path,
      queue_name,
      backend_name: backendName,
      args_kwargs,
      priority: seldom.priority,
      worker_ids: seldom.worker_ids,
      run_after: seldom.run_after,
      attempt_errors: seldom.attempt_errors,
      progress: seldom.progress,
      options: seldom.options,
    })
  }
  return { done: Number(header?.claims ?? 0), claimed }
}

function seldomOf(more: string | null, usual: Seldom): Seldom {
  if (more === null) return usual
  return more.startsWith('=') ? { ...usual, options: more.slice(1) } : (JSON.parse(more) as Seldom)
}

/** The last instant of a `Date`. */
const LAST_MS = 8.64e15

/** Null for no instant of a `Date`, such as `infinity`. */
function millisecondsOf(seconds: string | null): number | null {
  // By microseconds: a product of seconds and 1000 may come out just below the millisecond.
  const ms = Math.floor(Math.round(Number(seconds ?? Number.NaN) * 1e6) / 1000)
  return Math.abs(ms) <= LAST_MS ? ms : null
}
