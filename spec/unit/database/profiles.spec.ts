import { FAMILIES, profileOf } from '#profile-of'
import {
  explained,
  isContention,
  isReadOnly,
  isRefusal,
  isSilence,
  isTaken,
  unreachable,
} from '#database-errors'
import { DatabaseError, DatabaseUnreachableError, DataSourceError } from 'typeorm-tasks'

/** As a driver throws it; TypeORM wraps it in another error with the same message. */
function failure(code: string, message = 'as the driver says'): Error {
  const driverError = Object.assign(new Error(message), code === '' ? {} : { code })
  return Object.assign(new Error(message), { driverError })
}

it.each([
  ['postgres', 'dollar', 'notify', 'READ COMMITTED'],
  ['cockroachdb', 'dollar', null, undefined],
  ['aurora-postgres', 'dollar', null, 'READ COMMITTED'],
  ['mysql', 'question', 'files', 'READ COMMITTED'],
  ['mariadb', 'question', 'files', 'READ COMMITTED'],
  ['aurora-mysql', 'question', null, 'READ COMMITTED'],
  ['better-sqlite3', 'question', 'files', undefined],
  ['sqljs', 'question', null, undefined],
  ['mssql', 'question', null, undefined],
  ['one of tomorrow', 'question', null, undefined],
])('the type %s has placeholders by %s', (type, placeholder, wakesBy, isolation) => {
  const profile = profileOf(type)
  expect([profile.placeholder, profile.wakesBy, profile.isolation]).toEqual([
    placeholder,
    wakesBy,
    isolation,
  ])
})

it.each([
  ['postgres', 'max'],
  ['cockroachdb', 'max'],
  ['mysql', 'connectionLimit'],
  ['mariadb', 'connectionLimit'],
])('the type %s has a pool whose connections can be ended', (type, poolSize) => {
  const { pool, ...profile } = profileOf(type)
  expect(pool).toBeDefined()
  expect(profile.poolSize).toBe(poolSize)
})

it.each(['aurora-postgres', 'aurora-mysql', 'better-sqlite3', 'sqljs', 'mssql'])(
  'the type %s has none',
  (type) => {
    expect(profileOf(type).pool).toBeUndefined()
  },
)

it.each([
  ['better-sqlite3', ':memory:', true],
  ['better-sqlite3', '', true],
  ['better-sqlite3', 'file.sqlite', false],
  ['sqljs', undefined, true],
  ['postgres', 'app', false],
])('a database of %s named %s is in memory: %s', (type, database, isInMemory) => {
  expect(profileOf(type).livesInMemory(database)).toBe(isInMemory)
})

it.each(['40001', '40P01', '55P03', 'ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD'])(
  '%s is contention',
  (code) => {
    expect(isContention(failure(code))).toBe(true)
    expect(isContention(failure(`${code}9`))).toBe(false)
  },
)

it.each(['SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_LOCKED', 'SQLITE_LOCKED_SHAREDCACHE'])(
  '%s is contention',
  (code) => {
    expect(isContention(failure(code))).toBe(true)
  },
)

it.each([
  ['23505', ''],
  ['ER_DUP_ENTRY', ''],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', ''],
  ['SQLITE_CONSTRAINT_UNIQUE', ''],
  ['', 'UNIQUE constraint failed: db_task_result.id'],
  ['EREQUEST', 'Violation of PRIMARY KEY constraint'],
  ['', 'ORA-00001: unique constraint violated'],
])('%s %s says that a row is taken', (code, message) => {
  expect(isTaken(failure(code, message))).toBe(true)
})

it.each(['SQLITE_CONSTRAINT_NOTNULL', '23502', 'ER_DUP_ENTRY_WITH_KEY_NAME', ''])(
  '%s does not',
  (code) => {
    expect(isTaken(failure(code))).toBe(false)
  },
)

it.each(['25006', 'ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE'])(
  '%s says that the server is read-only',
  (code) => {
    expect(isReadOnly(failure(code))).toBe(true)
  },
)

it('a timeout of the driver is silence, and a message that only mentions one is not', () => {
  expect(isSilence(failure('', 'Query read timeout'))).toBe(true)
  expect(isSilence(failure('PROTOCOL_SEQUENCE_TIMEOUT', 'Query inactivity timeout'))).toBe(true)
  expect(isSilence(failure('', 'no Query read timeout'))).toBe(false)
})

it.each([
  ['42P01', 'relation does not exist', 'does not exist'],
  ['ER_NO_SUCH_TABLE', '', 'does not exist'],
  ['SQLITE_ERROR', 'no such table: db_task_result', 'does not exist'],
  ['42703', 'column "claims" does not exist', 'lacks a column'],
  ['ER_BAD_FIELD_ERROR', '', 'lacks a column'],
  ['SQLITE_ERROR', 'table t has no column named claims', 'lacks a column'],
])('%s %s is explained as: %s', (code, message, explanation) => {
  const error = explained(failure(code, message), 'db_task_result')
  expect(error).toBeInstanceOf(DataSourceError)
  expect((error as Error).message).toContain(explanation)
})

it.each(['42501', '42601', 'ER_PARSE_ERROR', 'SQLITE_READONLY_DBMOVED'])(
  '%s is refused for good',
  (code) => {
    expect(explained(failure(code), 'db_task_result')).toBeInstanceOf(DatabaseError)
  },
)

it('an error of another meaning stays as it is', () => {
  const error = failure('22P02', 'a value with 42501 in it')
  expect(explained(error, 'db_task_result')).toBe(error)
  expect(unreachable(error, 'postgres')).toBe(error)
})

it.each([
  ['ECONNREFUSED', ''],
  ['57P03', ''],
  ['53300', ''],
  ['ER_CON_COUNT_ERROR', ''],
  ['PROTOCOL_CONNECTION_LOST', ''],
  ['', 'Connection terminated unexpectedly'],
  ['', 'timeout expired'],
])('%s %s means that the database is away', (code, message) => {
  expect(unreachable(failure(code, message), 'postgres')).toBeInstanceOf(DatabaseUnreachableError)
})

it.each(['3D000', '28P01', 'ER_ACCESS_DENIED_ERROR', 'ER_BAD_DB_ERROR', 'SQLITE_CANTOPEN'])(
  '%s means that it will not come by waiting',
  (code) => {
    const error = unreachable(failure(code), 'postgres')
    expect(error).toBeInstanceOf(DatabaseError)
    expect(error).not.toBeInstanceOf(DatabaseUnreachableError)
  },
)

it('no code means two things, or belongs to two families', () => {
  const codes = ['40001', '23505', '25006', '42P01', '42703', '42501', '3D000', '57P01']
  codes.push(
    'ER_LOCK_DEADLOCK',
    'ER_DUP_ENTRY',
    'ER_NO_SUCH_TABLE',
    'SQLITE_BUSY',
    'SQLITE_CANTOPEN',
  )
  codes.push('42804', '53100', '55P03', '55006', '57014', '57P04', 'XX000', 'ER_DISK_FULL')
  codes.push('ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_TABLE_FULL', 'ER_QUERY_TIMEOUT', 'SQLITE_FULL')
  for (const code of codes) {
    const meanings = FAMILIES.flatMap(({ errors }) =>
      Object.values(errors).filter((pattern) => pattern.test(`${code} `)),
    )
    expect(meanings).toHaveLength(1)
  }
})

it.each([
  ['22003', 'integer out of range'],
  ['22P02', 'invalid input syntax for type json'],
  ['23514', 'violates check constraint'],
  ['54000', 'total size of jsonb array elements exceeds the maximum'],
  ['57014', 'canceling statement due to statement timeout'],
  ['P0001', 'raised by a trigger'],
  ['ER_NET_PACKET_TOO_LARGE', ''],
  ['ER_INVALID_JSON_TEXT', ''],
  ['ER_SIGNAL_EXCEPTION', ''],
  ['UNKNOWN_CODE_PLEASE_REPORT', 'Query execution was interrupted (max_statement_time exceeded)'],
  ['SQLITE_TOOBIG', ''],
  ['SQLITE_CONSTRAINT_TRIGGER', ''],
  ['SQLITE_ERROR', 'malformed JSON'],
])('%s %s is the fault of what was asked', (code, message) => {
  expect(isRefusal(failure(code, message))).toBe(true)
})

it.each([
  ['40001', ''],
  ['42P01', ''],
  ['53100', 'could not extend file: No space left on device'],
  ['55P03', ''],
  ['57P01', ''],
  ['58030', ''],
  ['ER_DISK_FULL', ''],
  ['ER_RECORD_FILE_FULL', ''],
  ['ER_SERVER_SHUTDOWN', ''],
  ['ER_BINLOG_STMT_MODE_AND_ROW_ENGINE', ''],
  ['ER_UPDATE_WITHOUT_KEY_IN_SAFE_MODE', ''],
  ['SQLITE_FULL', ''],
  ['SQLITE_IOERR_WRITE', ''],
  ['SQLITE_BUSY', ''],
  ['SQLITE_ERROR', 'no such table: db_task_result'],
  ['ECONNRESET', ''],
  ['EPIPE', ''],
  ['ERR_STREAM_DESTROYED', ''],
  ['', 'Connection terminated unexpectedly'],
])('%s %s is not', (code, message) => {
  expect(isRefusal(failure(code, message))).toBe(false)
})
