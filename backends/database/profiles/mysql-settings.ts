import type { SettingRule, Settings, SettingValues } from './settings'

const CHARSETS = ['character_set_client', 'character_set_connection', 'character_set_results']
/** Far more rows than any statement of ours reads. */
const MANY_ROWS = 100_000

/** One packet carries a statement, or a row. */
const SMALLEST_PACKET = 1024 * 1024

const RULES: readonly SettingRule[] = [
  {
    stops: 'all',
    wrong: (values) =>
      hasMode(values, 'NO_BACKSLASH_ESCAPES')
        ? 'sql_mode has NO_BACKSLASH_ESCAPES, but the driver escapes quotes by backslashes: a text with a quote would end there, and the rest of it would run as SQL.'
        : undefined,
    hint: 'Take NO_BACKSLASH_ESCAPES out of sql_mode. The app is open to SQL injection until then.',
    clientHint:
      'Take NO_BACKSLASH_ESCAPES out of the sql_mode of its session. The code that uses it is open to SQL injection until then.',
  },
  {
    stops: 'all',
    wrong: (values) => {
      const name = CHARSETS.find((each) => !carriesUnicode(each, values))
      return name && `${name} is ${values.get(name)}, which loses characters of texts.`
    },
    hint: "Set `charset: 'utf8mb4'` in the DataSource, or leave it out; if it is not set there, look for it in the server's settings.",
    clientHint:
      "Connect it with `charset: 'utf8mb4'` (Knex: in `connection`), and run no SET NAMES with another character set on it.",
  },
  {
    stops: 'all',
    wrong: (values) =>
      values.get('autocommit') === 'OFF'
        ? 'autocommit is OFF: what is written outside of a transaction is lost.'
        : undefined,
    hint: 'Set autocommit = ON for the server or the account.',
  },
  {
    stops: 'all',
    wrong: (values) => {
      const type = values.get('completion_type') ?? 'NO_CHAIN'
      return type === 'NO_CHAIN'
        ? undefined
        : `completion_type is ${type}: after a COMMIT the connection is in another transaction, or closed.`
    },
    hint: 'Set completion_type = NO_CHAIN for the server or the account.',
  },
  {
    stops: 'all',
    wrong: (values) =>
      hasMode(values, 'EMPTY_STRING_IS_NULL')
        ? 'sql_mode has EMPTY_STRING_IS_NULL: rows without an error cannot be written.'
        : undefined,
    hint: 'Take EMPTY_STRING_IS_NULL out of sql_mode.',
    clientHint: 'Take EMPTY_STRING_IS_NULL out of the sql_mode of its session.',
  },
  {
    stops: 'all',
    wrong: (values) => {
      // It cuts this very list off, too: every version has it.
      const limit = values.get('sql_select_limit') ?? 'small'
      return Number(limit) >= MANY_ROWS
        ? undefined
        : `sql_select_limit is ${limit}: what a statement finds is cut off there.`
    },
    hint: 'Set sql_select_limit = DEFAULT for the server or the account.',
    clientHint: 'Run `SET SESSION sql_select_limit = DEFAULT` on it.',
  },
  {
    stops: 'workers',
    wrong: (values) =>
      values.get('binlog_format') === 'STATEMENT' &&
      values.get('log_bin') === 'ON' &&
      values.get('sql_log_bin') !== 'OFF'
        ? 'binlog_format is STATEMENT: the server refuses to claim tasks, which happens at READ COMMITTED.'
        : undefined,
    hint: 'Set binlog_format = ROW, or MIXED.',
  },
  {
    stops: 'workers',
    wrong: (values) =>
      values.get('sql_safe_updates') === 'ON' && isMariaDb(values)
        ? 'sql_safe_updates is ON: MariaDB refuses updates of several rows, so no outcome can be stored.'
        : undefined,
    hint: 'Set sql_safe_updates = OFF for the server or the account.',
  },
  {
    stops: 'nobody',
    wrong: (values) => {
      const name = ['read_only', 'super_read_only', 'transaction_read_only', 'tx_read_only'].find(
        (each) => values.get(each) === 'ON',
      )
      return name && `${name} is ON: nothing can be enqueued, claimed or finished.`
    },
    hint: 'Connect to the primary, or set it to OFF. Workers wait until that is so.',
  },
  {
    stops: 'nobody',
    wrong: (values) => {
      const packet = packetOf(values)
      return packet !== undefined && packet < SMALLEST_PACKET
        ? `max_allowed_packet is ${packet} bytes: larger arguments, return values and errors cannot be stored.`
        : undefined
    },
    hint: 'Set max_allowed_packet to 16 MiB or more, and connect again.',
  },
]

const NAMES = [
  'version',
  ...CHARSETS,
  'autocommit',
  'binlog_format',
  'completion_type',
  'log_bin',
  'max_allowed_packet',
  'read_only',
  'sql_log_bin',
  'sql_mode',
  'sql_safe_updates',
  'sql_select_limit',
  'super_read_only',
  'transaction_read_only',
  'tx_read_only',
]

/**
 * What a client of other code is asked: its database as `name`, and the settings of which a rule has a hint for it. All
 * versions have these. The LIMIT is there for `sql_select_limit = 0`.
 */
export const CLIENT_QUESTION = `SELECT DATABASE() AS name, ${[...CHARSETS, 'sql_mode'].map((name) => `@@${name} AS ${name}`).join(', ')}, CAST(@@sql_select_limit AS CHAR) AS sql_select_limit LIMIT 1`

/** By SHOW, which leaves out what a version does not have. */
export const mysqlSettings: Settings = {
  question: `SHOW SESSION VARIABLES WHERE Variable_name IN (${NAMES.map((name) => `'${name}'`).join(', ')})`,
  rules: RULES,
}

export function isMariaDb(values: SettingValues): boolean {
  return /mariadb/i.test(values.get('version') ?? '')
}

/** The largest packet that the server takes, in bytes. */
export function packetOf(values: SettingValues): number | undefined {
  const packet = Number(values.get('max_allowed_packet'))
  return Number.isInteger(packet) && packet > 0 ? packet : undefined
}

function hasMode(values: SettingValues, mode: string): boolean {
  return (values.get('sql_mode') ?? '').split(',').includes(mode)
}

/** Results may also come as they are stored, which is utf8mb4. */
function carriesUnicode(name: string, values: SettingValues): boolean {
  const charset = values.get(name) ?? 'utf8mb4'
  return (
    charset === 'utf8mb4' ||
    (name === 'character_set_results' && /^(|NULL|null|binary)$/.test(charset))
  )
}
