import { mysql2Clients } from './clients'
import { mysqlSettings } from './mysql-settings'
import { type Profile, SAVEPOINT } from './profile'

/**
 * Django's columns have the collation of their database, mostly one that takes "mail" for "Mail" and "mäil". A text is
 * compared as utf8mb4, since a column of another character set has no collation of that.
 */
export function exactly(column: string): string {
  return `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_bin`
}

/** By HTTP: there are no connections. */
export const auroraMysql: Profile = {
  placeholder: 'question',
  poolSize: 'connectionLimit',
  isSoleConnection: false,
  livesInMemory: () => false,
  isolation: 'READ COMMITTED',
  listens: false,
  mark: SAVEPOINT,
  errors: {
    noTable: /ER_NO_SUCH_TABLE/,
    noColumn: /ER_BAD_FIELD_ERROR/,
    refused: /^(ER_TABLEACCESS_DENIED_ERROR|ER_COLUMNACCESS_DENIED_ERROR|ER_PARSE_ERROR)/,
    misset:
      /^(ER_UPDATE_WITHOUT_KEY_IN_SAFE_MODE|ER_BINLOG_STMT_MODE_AND_ROW_ENGINE|ER_TOO_BIG_SELECT) /,
    misnamed: /^(ER_ACCESS_DENIED_ERROR|ER_BAD_DB_ERROR|ER_DBACCESS_DENIED_ERROR)/,
    // mysql2 has no code for a connection that was closed before, and none for MariaDB's own errors.
    away: /^(ER_CON_COUNT_ERROR|ER_TOO_MANY_USER_CONNECTIONS|ER_(SERVER|NORMAL)_SHUTDOWN|ER_(NEW_)?ABORTING_CONNECTION|ER_QUERY_INTERRUPTED|ER_SESSION_WAS_KILLED|ER_CLIENT_INTERACTION_TIMEOUT|PROTOCOL_CONNECTION_LOST|\S* (Connection was killed|.*connection is in closed state))/,
    readOnly:
      /^(ER_OPTION_PREVENTS_STATEMENT|ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION|ER_READ_ONLY_MODE) /,
    timedOut: /^\S* Query inactivity timeout/,
    taken: /^ER_DUP_ENTRY /,
    unfit: /^(ER_TRUNCATED_WRONG_VALUE_FOR_FIELD Incorrect string value|ER_CANNOT_CONVERT_STRING )/,
    tooLarge: /^(ER_NET_PACKET_TOO_LARGE|ER_WARN_ALLOWED_PACKET_OVERFLOWED) /,
    noSavepoint: /^ER_SP_DOES_NOT_EXIST /,
    contention: /^(ER_LOCK_DEADLOCK|ER_CHECKREAD) /,
    locked: /^ER_LOCK_WAIT_TIMEOUT /,
    // The driver has no name for MariaDB's own code.
    tooSlow: /^(ER_QUERY_TIMEOUT|ER_QUERY_INTERRUPTED) |max_statement_time/,
    ailing:
      /^(PROTOCOL_(?!CONNECTION_LOST)|ER_(ABORTING|BINLOG|CLIENT_INTERACTION|CONNECTION|CRASHED|DISK_FULL|ENGINE|ERROR_ON|FILSORT|GET_ERRNO|INTERNAL|IO_|LOCK_(?!DEADLOCK|WAIT)|NET_(?!PACKET)|NEW_ABORTING|NOT_KEYFILE|OUT_OF|OUTOFMEMORY|RECORD_FILE_FULL|TEMP_FILE|TOO_MANY_USER|UNKNOWN_ERROR|UPDATE_WITHOUT_KEY|USER_LIMIT))/,
  },
  server: {
    question: `SELECT VERSION() AS version, 'UTF8' AS encoding, DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%d %H:%i:%s.%f') AS now`,
    productOf: (version) =>
      /mariadb/i.test(version)
        ? { name: 'MariaDB', oldest: '10.6' }
        : { name: 'MySQL', oldest: '8.0.4' },
    settings: mysqlSettings,
  },
  mayBeMariaDb: true,
  exactly,
  narrowColumns: (_, name) => ({
    sql: "SELECT COLUMN_NAME AS narrow, CHARACTER_SET_NAME AS charset FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND CHARACTER_SET_NAME <> 'utf8mb4' AND COLUMN_NAME NOT IN ('id', 'status') ORDER BY ORDINAL_POSITION",
    values: [name],
  }),
  inexactKey: (_, name) => ({
    sql: "SELECT COLLATION_NAME AS inexact FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = 'unique_key' AND COLLATION_NAME NOT REGEXP '_bin$|_cs$'",
    values: [name],
  }),
  readsLocalTime: true,
  growth: {
    cleanedBy: 'purge',
    rows: (_, name) => ({
      sql: 'SELECT TABLE_ROWS AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
      values: [name],
    }),
    daysAgo: (days) => `UTC_TIMESTAMP() - INTERVAL ${days} DAY`,
  },
}

/** By mysql2; of MySQL and MariaDB alike. */
export const mysql: Profile = {
  ...auroraMysql,
  bindsInText: true,
  clients: mysql2Clients,
  // A statement for many rows waits so long for one that somebody else has locked; the default is 50 seconds.
  setUp: 'SET SESSION innodb_lock_wait_timeout = 1',
  pool: { appTimeout: 'connectTimeout', timeout: 'connectTimeout', keepAlive: () => ({}) },
}
