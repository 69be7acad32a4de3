import type { Claim, Dialect } from './dialect'
import { channelOf } from '../notifications'
import type { ClaimedRaw } from '../row'
import type { Session } from '../connections/session'
import {
  type Batch,
  OWN_COLUMNS,
  queueFilter,
  queueValues,
  sqlDialect,
  type Statements,
  UNCANCELLED,
} from './sql-dialect'
import type { Values } from '../connections/statement'
import type { Table } from '../table'

const text = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`
const instant = (column: string): string => `${text(`t.${column}`)} AS ${column}`

/** As text, since an app may have changed how its driver reads json and timestamps. */
const ROW = `t.id::text AS row_key, t.status, t.args_kwargs::text AS args_kwargs, t.priority, t.task_path, t.worker_ids::text AS worker_ids,
  t.queue_name, t.backend_name, ${['run_after', 'enqueued_at', 'started_at', 'finished_at', 'lease_until', 'cancel_requested_at'].map(instant).join(', ')},
  t.return_value::text AS return_value, t.exception_class_path, t.traceback, t.claims, t.unique_key,
  t.attempt_errors::text AS attempt_errors, t.progress::text AS progress, t.options::text AS options`

/** What is told of new rows; without a look at the table, so that a producer needs no more than the right to INSERT. */
const WRITTEN = `${text('statement_timestamp()')} AS enqueued_at`

const NO_DELAY = `TIMESTAMPTZ '9999-01-01 00:00:00+00'`

/** What a run needs to know of its row; `started_at` is the same for all, and asked once: to_char takes its time. */
const CLAIMED = `t.id::text AS row_key, t.args_kwargs::text AS args_kwargs, t.priority, t.task_path, t.worker_ids::text AS worker_ids, t.queue_name, t.backend_name,
  CASE WHEN t.run_after <> ${NO_DELAY} THEN ${text('t.run_after')} END AS run_after, ${instant('enqueued_at')},
  t.claims, t.attempt_errors::text AS attempt_errors, t.progress::text AS progress, t.options::text AS options`
const STARTED_AT = `(SELECT ${text('statement_timestamp()')}) AS started_at`

/**
 * The guard of every write. `status || ''` hides the test from the planner: right after many were enqueued its
 * statistics say that no row is RUNNING, and it would walk all that are, once for each row of the batch
 * (measured: 500 rows a second in place of 27,000). `v.claims + 0 = v.claims`, which is always so, has it take the batch
 * for one row: it looks each up by its key, however small or unknown the table is.
 */
const FENCE = `t.id = v.row_key AND t.status || '' = 'RUNNING' AND t.claims = v.claims AND v.claims + 0 = v.claims AND t.lease_until IS NOT NULL`

const TYPES: Readonly<Record<string, string>> = {
  row_key: 'uuid',
  claims: 'int',
  delay: 'double precision',
  args_kwargs: 'jsonb',
}

/**
 * Batches travel as one array for each column. Of an array that it cannot see PostgreSQL takes it that it has ten rows, of a
 * set made from JSON a hundred; and an array that it sees, it counts. For hundreds it would rather read a table of
 * fifty thousand rows than look each of them up (measured: 90 ms in place of 7 for 400 rows).
 */
function rows(...names: string[]): string {
  return `unnest(${names.map((name) => `(SELECT :${name}::${TYPES[name] ?? 'text'}[])`).join(', ')}) AS v(${names.join(', ')})`
}

const HELD = rows('row_key', 'claims')

/** PostgreSQL 13 and later; CockroachDB and YugabyteDB say the same. */
export function postgres({ path, type, name }: Table): Dialect {
  const finish = finishOf(path)
  const channel = channelOf({ name }).replaceAll("'", "''")
  const requestCancel = `UPDATE ${path} t SET cancel_requested_at = statement_timestamp() WHERE t.id = :id::uuid AND t.status = 'RUNNING' AND t.lease_until IS NOT NULL`
  return sqlDialect({
    name: 'postgres',
    updateReturns: true,
    insertReturns: true,
    insertsAtOnce: true,
    batch: columnsOf,
    maxStatement: 16 * 1024 * 1024,
    sideBySideFrom: 100,
    claim: (session, claim) => claimRows(session, path, claim),
    exchange: (session, rows, claim) => exchangeRows(session, path, columnsOf(rows), claim),
    sql: {
      ...insertsOf(
        path,
        type === 'postgres' ? `, pg_notify('${channel}', 'ready ' || :queue_name)` : '',
      ),
      byId: `SELECT ${ROW} FROM ${path} t WHERE t.id = :id::uuid`,
      enqueuedAt: '',
      byUniqueKey: `SELECT ${ROW} FROM ${path} t WHERE t.unique_key = :uniqueKey`,
      finish,
      takeOver: `${finish} AND t.lease_until < statement_timestamp() RETURNING t.id::text AS row_key`,
      lockExpired: '',
      settled: `SELECT t.id::text AS row_key FROM ${path} t, ${rows('row_key', 'claims', 'status', 'exception_class_path')}
        WHERE t.id = v.row_key AND t.claims = v.claims AND t.status = coalesce(v.status, '${USUAL.status}') AND t.lease_until IS NULL AND t.exception_class_path = coalesce(v.exception_class_path, '')`,
      renew: `UPDATE ${path} t SET lease_until = statement_timestamp() + :leaseSeconds::double precision * INTERVAL '1 second', progress = coalesce(v.progress::jsonb, t.progress)
        FROM ${rows('row_key', 'claims', 'progress')}
        WHERE ${FENCE} RETURNING t.id::text AS row_key, (t.cancel_requested_at IS NOT NULL)::int AS cancelled`,
      held: `SELECT t.id::text AS row_key, (t.cancel_requested_at IS NOT NULL)::int AS cancelled FROM ${path} t, ${HELD} WHERE ${FENCE}`,
      release: `UPDATE ${path} t SET status = 'READY', lease_until = NULL, worker_ids = t.worker_ids - -1,
          started_at = CASE WHEN jsonb_array_length(t.worker_ids) > 1 THEN t.started_at END
        FROM ${HELD} WHERE ${FENCE} AND t.cancel_requested_at IS NULL`,
      expired: `SELECT ${ROW} FROM ${path} t WHERE t.status = 'RUNNING' AND t.lease_until < statement_timestamp() AND t.backend_name = :backendName LIMIT :limit`,
      furtherOn: `SELECT t.id::text AS row_key FROM ${path} t WHERE true {part} ORDER BY t.id LIMIT 1 OFFSET :skipped`,
      prunable: `SELECT t.id::text AS row_key FROM ${path} t WHERE ${prunable()} {part} {queues} ORDER BY t.id LIMIT :limit`,
      countPrunable: `SELECT count(*)::int AS n FROM ${path} t WHERE ${prunable()} {queues}`,
      deleteByIds: `DELETE FROM ${path} t WHERE t.id = ANY((SELECT :row_key::uuid[])::uuid[]) AND t.status IN ('SUCCESSFUL', 'FAILED')`,
      count: `SELECT t.status, count(*)::int AS n FROM ${path} t WHERE t.backend_name = :backendName {queues} GROUP BY t.status`,
      cancelReady: `UPDATE ${path} t SET status = 'FAILED', finished_at = statement_timestamp(), exception_class_path = :exceptionClassPath, traceback = :traceback,
          unique_key = CASE WHEN t.unique_key LIKE 'f:%' THEN NULL ELSE t.unique_key END WHERE t.id = :id::uuid AND t.status = 'READY'`,
      requestCancel: type === 'postgres' ? told(requestCancel, channel) : requestCancel,
    },
  })
}

/** The same, and the workers that listen are told, as soon as it is committed. */
function told(requestCancel: string, channel: string): string {
  return `WITH asked AS (${requestCancel} RETURNING t.id) SELECT pg_notify('${channel}', 'cancel ' || asked.id) FROM asked`
}

/**
 * Behind a SELECT, so that it is as unknown to a plan for these values as to one for all: they cost alike, and PostgreSQL keeps the latter (measured: it saves 1 to 2 ms of planning each time).
 * Of an unknown limit it takes it that a tenth of all rows is wanted, at each of a hundred priorities, and compiles what
 * seems so dear (measured: 20 ms each time, with 100,000 READY). `priority + 0 = priority`, which is always so where there
 * is one, has it take them for one.
 */
const ROOM = '(SELECT :room::int)'

/**
 * In Django's order: priority, then due delayed rows, then undelayed ones. Rows that wait for the future stand
 * between the last two, so one walk in index order would pass all of them. Hence a walk from priority to priority
 * (each step one look into the index), and in each two ranges. Nothing is sorted, and what is not needed not read.
 */
function claimOf(
  path: string,
  { wishes }: Claim,
): { readonly best: string; readonly take: string } {
  const range = (runAfter: string): string => `SELECT r.id FROM (SELECT c.id FROM ${path} c
      WHERE c.status = 'READY' AND c.priority = levels.priority AND c.run_after ${runAfter} AND c.backend_name = :backendName ${queueFilter(wishes)}
      ORDER BY c.run_after, c.enqueued_at LIMIT ${ROOM} FOR UPDATE SKIP LOCKED) r`
  return {
    best: `levels AS (
        (SELECT c.priority FROM ${path} c WHERE c.status = 'READY' ORDER BY c.priority DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT c.priority FROM ${path} c WHERE c.status = 'READY' AND c.priority < levels.priority ORDER BY c.priority DESC LIMIT 1)
        FROM levels WHERE levels.priority IS NOT NULL
      ), best AS MATERIALIZED (
        SELECT ready.id FROM (SELECT l.priority FROM levels l WHERE l.priority + 0 = l.priority) levels CROSS JOIN LATERAL (${range('<= statement_timestamp()')} UNION ALL ${range(`= ${NO_DELAY}`)}) ready LIMIT ${ROOM}
      )`,
    take: `UPDATE ${path} t SET status = 'RUNNING', started_at = statement_timestamp(), worker_ids = t.worker_ids || jsonb_build_array(:worker::text),
        claims = coalesce(t.claims, 0) + 1, lease_until = statement_timestamp() + :leaseSeconds::double precision * INTERVAL '1 second', cancel_requested_at = NULL
      FROM unnest(ARRAY(SELECT best.id FROM best)) WITH ORDINALITY AS b(id, n) WHERE t.id = b.id AND b.n + 0 = b.n AND t.status || '' = 'READY'
      RETURNING ${CLAIMED}`,
  }
}

function claimValues({ room, wishes, backendName, leaseSeconds }: Claim): Values {
  return { room, backendName, leaseSeconds, worker: wishes.workerId, ...queueValues(wishes) }
}

async function claimRows(session: Session, path: string, claim: Claim): Promise<ClaimedRaw[]> {
  const { best, take } = claimOf(path, claim)
  const { records } = await session.query(
    `WITH RECURSIVE ${best}, taken AS (${take}) SELECT ${STARTED_AT}, taken.* FROM taken`,
    claimValues(claim),
  )
  return records as unknown as ClaimedRaw[]
}

/** One statement and one commit for what ended and what begins. Rows that it finishes it does not see as READY: all of it looks at one instant. */
async function exchangeRows(
  session: Session,
  path: string,
  batch: Values,
  claim: Claim,
): Promise<{ done: number; claimed: ClaimedRaw[] }> {
  const { best, take } = claimOf(path, claim)
  const { records } = await session.query(
    `WITH RECURSIVE done AS (${finishOf(path)} RETURNING 1), ${best}, taken AS (${take})
      SELECT (SELECT count(*)::int FROM done) AS done, ${STARTED_AT}, taken.* FROM (SELECT 1) one LEFT JOIN taken ON true`,
    { ...claimValues(claim), ...batch },
  )
  return {
    done: Number(records[0]?.['done'] ?? 0),
    claimed: records.filter((record) => record['row_key'] !== null) as unknown as ClaimedRaw[],
  }
}

function prunable(): string {
  const older = (age: string): string =>
    `t.finished_at <= statement_timestamp() - ${age}::double precision * INTERVAL '1 millisecond'`
  return `t.backend_name = :backendName AND ((t.status = 'SUCCESSFUL' AND ${older(':minAge')}) OR (t.status = 'FAILED' AND ${older(':failedMinAge')}))`
}

/** `telling` is what an INSERT gives back besides, so that workers hear of it. */
function insertsOf(
  path: string,
  telling: string,
): Pick<
  Statements,
  'insert' | 'insertAndTell' | 'insertOne' | 'insertOneAndTell' | 'insertUnlessTaken'
> {
  const insert = insertInto(path, {
    id: 'v.row_key',
    args: 'v.args_kwargs',
    from: `FROM ${rows('row_key', 'args_kwargs')}`,
  })
  const insertOne = insertInto(path, {
    id: ':row_key::uuid',
    args: ':args_kwargs::jsonb',
    from: '',
  })
  const writing = (told: string): string =>
    `WITH written AS (${insert} RETURNING 1) SELECT ${WRITTEN}${told}`
  return {
    insert: writing(''),
    insertAndTell: writing(telling),
    insertOne: `${insertOne} RETURNING ${WRITTEN}`,
    insertOneAndTell: `${insertOne} RETURNING ${WRITTEN}${telling}`,
    insertUnlessTaken: `${insert} ON CONFLICT DO NOTHING RETURNING t.id::text AS row_key, t.unique_key, ${instant('enqueued_at')}`,
  }
}

/** A single row is not worth a list (measured: a tenth of the time that it takes but for the commit). */
function insertInto(
  path: string,
  { id, args, from }: { id: string; args: string; from: string },
): string {
  return `INSERT INTO ${path} AS t (id, status, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name, run_after,
    enqueued_at, exception_class_path, traceback, unique_key, options, ${OWN_COLUMNS})
  SELECT ${id}, 'READY', ${args}, :priority::int, :task_path, '[]'::jsonb, :queue_name, :backend_name, (:run_after::text || '+00')::timestamptz,
    statement_timestamp(), '', '', :unique_key, :options::jsonb, 0, NULL, NULL, NULL, NULL
  ${from}`
}

function finishOf(path: string): string {
  return `UPDATE ${path} t SET status = coalesce(v.status, '${USUAL.status}'), return_value = v.return_value::jsonb,
      exception_class_path = coalesce(v.exception_class_path, ''), traceback = coalesce(v.traceback, ''),
      finished_at = CASE WHEN v.status = 'READY' THEN NULL ELSE statement_timestamp() END,
      run_after = CASE WHEN v.delay IS NULL THEN t.run_after ELSE statement_timestamp() + v.delay * INTERVAL '1 millisecond' END,
      attempt_errors = CASE WHEN v.attempt_error IS NULL THEN t.attempt_errors ELSE coalesce(t.attempt_errors, '[]'::jsonb) || v.attempt_error::jsonb END,
      progress = coalesce(v.progress::jsonb, t.progress),
      unique_key = CASE WHEN v.status IS DISTINCT FROM 'READY' AND t.unique_key LIKE 'f:%' THEN NULL ELSE t.unique_key END,
      lease_until = NULL, cancel_requested_at = NULL
    FROM ${rows('row_key', 'claims', 'status', 'return_value', 'exception_class_path', 'traceback', 'attempt_error', 'progress', 'delay')}
    WHERE ${FENCE} AND ${UNCANCELLED}`
}

/** What outcomes mostly say. A column that says it of all rows travels as NULL, which `unnest` takes for a column of NULLs. */
const USUAL: Readonly<Record<string, string | null>> = {
  status: 'SUCCESSFUL',
  exception_class_path: '',
  traceback: '',
}

function columnsOf(batch: Batch): Values {
  const values: Record<string, Values[string]> = {}
  for (const name of Object.keys(batch[0] ?? {}) as 'row_key'[]) {
    const usual = USUAL[name] ?? null
    values[name] = batch.every((row) => row[name] === usual)
      ? null
      : { column: batch.map((row) => row[name]) }
  }
  return values
}
