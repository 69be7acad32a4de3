import type { DataSource } from 'typeorm'
import type { Problem } from '../../../lib/backend'
import type { Growth } from '../profiles/profile'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

/** From when on growth is reported. */
export interface Limits {
  /** Dead rows, if they are also more than the live ones. */
  readonly dead: number
  /** Length of InnoDB's history list. */
  readonly history: number
  /** Rows, if the oldest finished more than `days` days ago. */
  readonly rows: number
  readonly days: number
}

const LIMITS: Limits = { dead: 50_000, history: 1_000_000, rows: 1_000_000, days: 30 }

/** Warnings of a table that grows: by old versions of rows, or by finished rows. A check that lacks a privilege is left out. */
export async function growthProblems(
  dataSource: DataSource,
  table: Table,
  limits = LIMITS,
): Promise<Problem[]> {
  const { growth } = profileOf(table.type)
  if (!growth) return []
  const looks = [...(growth.cleanedBy ? [UNCLEANED[growth.cleanedBy]] : []), unpruned(growth)]
  const problems: Problem[] = []
  // One after the other: side by side they would need two connections of the app.
  for (const look of looks) {
    const problem = await look(dataSource, table, limits).catch(() => undefined)
    if (problem) problems.push(problem)
  }
  return problems
}

type Look = (dataSource: DataSource, table: Table, limits: Limits) => Promise<Problem | undefined>

const deadRows: Look = async (dataSource, { path, name }, limits) => {
  const [found] = (await dataSource.query(DEAD, [path])) as Dead[]
  if (!found || Number(found.dead) < limits.dead || Number(found.dead) < Number(found.living))
    return undefined
  return {
    level: 'warning',
    message: `The table "${name}" holds ${found.dead} dead rows beside ${found.living} living ones, and was last vacuumed ${found.vacuumed ?? 'never'}: claims walk past the dead.`,
    hint: deadHint(path, found, await holderOf(dataSource)),
  }
}

interface Dead {
  readonly living: string
  readonly dead: string
  readonly vacuumed: string | null
  readonly off: boolean
}

const DEAD = `SELECT s.n_live_tup AS living, s.n_dead_tup AS dead, to_char(greatest(s.last_vacuum, s.last_autovacuum) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') AS vacuumed,
    current_setting('autovacuum') = 'off' OR coalesce(c.reloptions::text ~ 'autovacuum_enabled=(false|off|no|0)', false) AS off
  FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.relid = to_regclass($1)`

/** The holder of the oldest snapshot: vacuum cannot remove rows that it can still see. Younger than a minute it is not the cause. */
const HOLDER = `SELECT what FROM (
    SELECT format('the transaction of process %s (%s, %s), open since %s', pid, coalesce(nullif(application_name, ''), usename), state, to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) AS what, age(backend_xmin) AS age
      FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - INTERVAL '1 minute'
    UNION ALL SELECT format('the prepared transaction "%s"', gid), age(transaction) FROM pg_prepared_xacts WHERE database = current_database() AND prepared < now() - INTERVAL '1 minute'
    UNION ALL SELECT format('the replication slot "%s"', slot_name), age(xmin) FROM pg_replication_slots WHERE xmin IS NOT NULL
  ) held ORDER BY age DESC LIMIT 1`

async function holderOf(dataSource: DataSource): Promise<string | undefined> {
  const [holder] = (await dataSource.query(HOLDER).catch(() => [])) as { what: string }[]
  return holder?.what
}

function deadHint(path: string, { off }: Dead, holder: string | undefined): string {
  if (holder !== undefined)
    return `They cannot go before ${holder} ends: end it, then run VACUUM ${path}.`
  if (off)
    return `Turn autovacuum on, for the server and for the table (ALTER TABLE ${path} RESET (autovacuum_enabled)); until then run VACUUM ${path}.`
  return `Run VACUUM ${path}, and have autovacuum come sooner: ALTER TABLE ${path} SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0).`
}

const history: Look = async (dataSource, _, limits) => {
  const [found] = (await dataSource.query(
    "SELECT COUNT AS length FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'",
  )) as { length: string | number }[]
  if (!found || Number(found.length) < limits.history) return undefined
  const [oldest] = (await dataSource.query(
    'SELECT trx_mysql_thread_id AS thread, trx_started AS since FROM information_schema.INNODB_TRX ORDER BY trx_started LIMIT 1',
  )) as { thread: number }[]
  return {
    level: 'warning',
    message: `InnoDB keeps ${found.length} changes that it has not cleaned up (its history list): claims walk past what they left.`,
    hint: oldest
      ? `They are kept for the oldest transaction, of connection ${oldest.thread}: end it (KILL ${oldest.thread}), if it has been open for long.`
      : 'Give purge more threads (innodb_purge_threads), or the server a faster disk.',
  }
}

const UNCLEANED: Readonly<Record<NonNullable<Growth['cleanedBy']>, Look>> = {
  vacuum: deadRows,
  purge: history,
}

/** Ids are in the order of time, so the first row is the oldest. */
function unpruned(growth: Growth): Look {
  return async (dataSource, { path, name }, limits) => {
    const { sql, values } = growth.rows(path, name)
    const [estimate] = (await dataSource.query(sql, values)) as { n: string | number | null }[]
    if (Number(estimate?.n ?? 0) < limits.rows) return undefined
    const [oldest] = (await dataSource.query(
      `SELECT CASE WHEN finished_at < ${growth.daysAgo(limits.days)} THEN 1 ELSE 0 END AS old FROM ${path} ORDER BY id LIMIT 1`,
    )) as { old: string | number }[]
    if (Number(oldest?.old) !== 1) return undefined
    return {
      level: 'warning',
      message: `The table "${name}" has about ${Number(estimate?.n)} rows, and the oldest ended more than ${limits.days} days ago: it seems that nobody prunes.`,
      hint: 'Set OPTIONS.retention in TASKS, so that workers prune, or run `npx tasks prune_db_task_results` each day.',
    }
  }
}
