import { CANCELLED } from '../../../lib/errors/error-record'
import type { Claim, Dialect, How, Part, Prunable, QueueWish } from './dialect'
import type { NewRows } from '../row'
import type { FinishRow } from '../row'
import type { ClaimedRaw, RawRow } from '../row'
import type { Session } from '../connections/session'
import type { Answer } from '../connections/statement'
import type { Values } from '../connections/statement'

/** Rows by their keys, all of one shape. */
export type Batch = readonly Readonly<{ row_key: string }>[]

/** A dialect made of SQL texts. */
export interface SqlDialect extends Pick<
  Dialect,
  'name' | 'maxStatement' | 'claim' | 'sideBySideFrom'
> {
  /** Finishes in another way than by `sql.finish`; gives the number of rows it changed. */
  readonly finish?: (session: Session, rows: readonly FinishRow[]) => Promise<number>
  /** Both finishes and claims, with one commit. */
  readonly exchange?: (
    session: Session,
    rows: readonly FinishRow[],
    claim: Claim,
  ) => Promise<{ readonly done: number; readonly claimed: ClaimedRaw[] }>
  readonly sql: Statements
  /** An UPDATE can say which rows it changed. */
  readonly updateReturns: boolean
  /** An INSERT can give back what it wrote. */
  readonly insertReturns: boolean
  /** A batch as the statements take it; by default all of it as one JSON text, `:rows`, and the ids as a list, `:keys`. */
  readonly batch?: (rows: Batch) => Values
  /** An INSERT says once for all its rows when that was. */
  readonly insertsAtOnce?: boolean
}

/** Parameters are named; batches travel as `batch` says. `{queues}` is where `queueFilter` goes. */
export interface Statements {
  readonly insert: string
  /** The same, and idle workers that listen are told. */
  readonly insertAndTell?: string
  /** The same for a single row, whose values are parameters of their own. */
  readonly insertOne?: string
  readonly insertOneAndTell?: string
  /** As insert, leaving out those whose unique key is taken. */
  readonly insertUnlessTaken: string
  readonly byId: string
  /** When rows were enqueued; asked where an INSERT does not say. */
  readonly enqueuedAt: string
  readonly byUniqueKey: string
  readonly finish: string
  /** Of the rows, those that already stand as their outcome says. */
  readonly settled: string
  readonly renew: string
  /** Of the rows, those still held. */
  readonly held: string
  readonly release: string
  /** As finish, of rows whose lease has ended; says which. */
  readonly takeOver: string
  /** Where an UPDATE cannot say which: locks those of the rows whose lease has ended, and passes over locked ones. */
  readonly lockExpired: string
  readonly expired: string
  readonly furtherOn: string
  readonly prunable: string
  readonly countPrunable: string
  readonly deleteByIds: string
  readonly count: string
  readonly cancelReady: string
  readonly requestCancel: string
}

/** The verbs of a dialect by way of its statements. What SQL cannot say alike everywhere is a flag, read here only. */
export function sqlDialect(dialect: SqlDialect): Dialect {
  const { name, maxStatement, sideBySideFrom, claim, sql, updateReturns, batch = jsonOf } = dialect
  const finish: Dialect['finish'] = (session, rows) => finishRows(dialect, session, rows)
  const both =
    (exchange: NonNullable<SqlDialect['exchange']>): NonNullable<Dialect['exchange']> =>
    async (session, rows, claim) => {
      const { done, claimed } = await exchange(session, rows, claim)
      return { kept: await kept(dialect, session, rows, done), claimed }
    }
  return {
    name,
    maxStatement,
    claim,
    ...(sideBySideFrom !== undefined && { sideBySideFrom }),
    ...(dialect.exchange && { exchange: both(dialect.exchange) }),
    insert: (session, rows, how) => insert(dialect, session, rows, how),
    byId: async (session, id) => rowsOf(await session.query(sql.byId, { id }))[0],
    byUniqueKey: async (session, uniqueKey) =>
      rowsOf(await session.query(sql.byUniqueKey, { uniqueKey }))[0],
    finish,
    async renew(session, rows, leaseSeconds) {
      const answer = await session.query(sql.renew, { ...batch(rows), leaseSeconds })
      const { records } = updateReturns ? answer : await session.query(sql.held, batch(rows))
      return new Map(records.map((record) => [keyOf(record), isTrue(record['cancelled'])]))
    },
    release: async (session, rows) => (await session.query(sql.release, batch(rows))).affected,
    async takeOver(session, rows) {
      if (updateReturns)
        return new Set((await session.query(sql.takeOver, batch(rows))).records.map(keyOf))
      // Where an UPDATE does not say which rows it changed, they are locked first.
      return session.transaction(async (inside) => {
        const expired = new Set(
          (await inside.query(sql.lockExpired, batch(rows))).records.map(keyOf),
        )
        const ours = rows.filter((row) => expired.has(row.row_key))
        return ours.length > 0 ? finish(inside, ours) : expired
      })
    },
    expired: async (session, backendName, limit) =>
      rowsOf(await session.query(sql.expired, { backendName, limit })),
    ...pruning(sql, batch),
    async count(session, backendName, wish) {
      const { records } = await inQueues(session, sql.count, wish, { backendName })
      return Object.fromEntries(
        records.map((record) => [String(record['status']), Number(record['n'])]),
      )
    },
    cancelReady: async (session, id, error) =>
      (
        await session.query(sql.cancelReady, {
          id,
          exceptionClassPath: error.exceptionClassPath,
          traceback: error.traceback,
        })
      ).affected,
    requestCancel: async (session, id) => (await session.query(sql.requestCancel, { id })).affected,
  }
}

async function insert(
  { sql, insertReturns, insertsAtOnce = false, batch = jsonOf }: SqlDialect,
  session: Session,
  { shared, calls }: NewRows,
  how: How,
): Promise<(key: string) => string | undefined> {
  const { unlessTaken } = how
  const single = calls.length === 1 && !unlessTaken ? singleInsert(sql, how) : undefined
  const answer = await (single
    ? session.query(single, { ...shared, ...calls[0] })
    : session.query(insertOf(sql, how), { ...shared, ...batch(calls) }))
  if (insertsAtOnce && !unlessTaken) {
    const at = String(answer.records[0]?.['enqueued_at'])
    return () => at
  }
  const { records } = insertReturns ? answer : await session.query(sql.enqueuedAt, batch(calls))
  // MySQL passes over a row whose id is taken as over one whose unique key is, and gives back the one that has the id.
  const written = records.filter((record) => record['unique_key'] === shared.unique_key)
  const times = new Map(written.map((record) => [keyOf(record), String(record['enqueued_at'])]))
  return (key) => times.get(key)
}

function singleInsert(
  { insertOne, insertOneAndTell = insertOne }: Statements,
  { tells }: How,
): string | undefined {
  return tells ? insertOneAndTell : insertOne
}

function insertOf(
  { insert: text, insertAndTell = text, insertUnlessTaken }: Statements,
  { unlessTaken, tells }: How,
): string {
  if (unlessTaken) return insertUnlessTaken
  return tells ? insertAndTell : text
}

/** A row that somebody cancelled ends as cancelled and no other way, however far its run has come. */
export const UNCANCELLED = `(t.cancel_requested_at IS NULL OR v.exception_class_path = '${CANCELLED}')`

/** Of a new row: their defaults, named so that a table without them is told at enqueue and not when its worker starts. */
export const OWN_COLUMNS = 'claims, lease_until, cancel_requested_at, attempt_errors, progress'

/** `AND …` for the queues a worker wants; the same text for the same wishes, so that it can be prepared. */
export function queueFilter(
  { queues, excludeQueues }: QueueWish,
  queueName = 'queue_name',
): string {
  const only = queues === null ? '' : ` AND ${queueName} IN (:queues)`
  return only + (excludeQueues.length === 0 ? '' : ` AND ${queueName} NOT IN (:excludeQueues)`)
}

/** The values `queueFilter` asks for. */
export function queueValues({ queues, excludeQueues }: QueueWish): {
  queues: readonly string[]
  excludeQueues: readonly string[]
} {
  return { queues: queues ?? [], excludeQueues }
}

function inQueues(
  session: Session,
  text: string,
  wish: QueueWish,
  values: Values,
): Promise<Answer> {
  return session.query(text.replace('{queues}', queueFilter(wish)), {
    ...values,
    ...queueValues(wish),
  })
}

function pruning(
  sql: Statements,
  batch: (rows: Batch) => Values,
): Pick<Dialect, 'furtherOn' | 'prunable' | 'countPrunable' | 'deleteFinished'> {
  return {
    async furtherOn(session, after, rows) {
      const [record] = (
        await session.query(sql.furtherOn.replace('{part}', partOf({ after, upTo: null })), {
          after,
          skipped: rows - 1,
        })
      ).records
      return record ? keyOf(record) : null
    },
    async prunable(session, wish, part, limit) {
      const { records } = await inQueues(
        session,
        sql.prunable.replace('{part}', partOf(part)),
        allOf(wish),
        { ...agesOf(wish), ...part, limit },
      )
      return records.map(keyOf)
    },
    countPrunable: async (session, wish) =>
      Number(
        (await inQueues(session, sql.countPrunable, allOf(wish), agesOf(wish))).records[0]?.['n'],
      ),
    deleteFinished: async (session, keys) =>
      (await session.query(sql.deleteByIds, batch(keys.map((row_key) => ({ row_key }))))).affected,
  }
}

/** No bound is no condition: of `:after IS NULL OR …` a database may make a walk from the very first row. */
function partOf({ after, upTo }: Part): string {
  return (after === null ? '' : ' AND id > :after') + (upTo === null ? '' : ' AND id <= :upTo')
}

function allOf({ queues }: Prunable): QueueWish {
  return { queues, excludeQueues: [] }
}

function agesOf({ backendName, minAge, failedMinAge }: Prunable): Values {
  return { backendName, minAge, failedMinAge }
}

function jsonOf(rows: Batch): Values {
  return { rows: JSON.stringify(rows), keys: rows.map((row) => row.row_key) }
}

function rowsOf({ records }: Answer): RawRow[] {
  return records as unknown as RawRow[]
}

async function finishRows(
  dialect: SqlDialect,
  session: Session,
  rows: readonly FinishRow[],
): Promise<Set<string>> {
  const { sql, batch = jsonOf } = dialect
  const done = dialect.finish
    ? await dialect.finish(session, rows)
    : (await session.query(sql.finish, batch(rows))).affected
  return kept(dialect, session, rows, done)
}

/** Of `done` rows the statement said that it changed them; if that is not all, which stand as told is asked. */
async function kept(
  { sql, batch = jsonOf }: SqlDialect,
  session: Session,
  rows: Batch,
  done: number,
): Promise<Set<string>> {
  if (done === rows.length) return new Set(rows.map((row) => row.row_key))
  const { records } = await session.query(sql.settled, batch(rows))
  return new Set(records.map(keyOf))
}

/** A condition as each driver gives it: true, 1, or on MySQL the text '1' where an app has its driver read numbers as text. */
function isTrue(value: unknown): boolean {
  return Number(value) === 1
}

function keyOf(record: Record<string, unknown>): string {
  return String(record['row_key'])
}
