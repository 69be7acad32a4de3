import {
  DataSourceError,
  DatabaseError,
  DatabaseUnreachableError,
} from '../../../lib/errors/errors'
import { NoAnswer } from '../../../lib/timeout'
import { codeOf } from './retry-contention'

/** The mend for a table that is not, or not any more, as the entity says. */
export const MIGRATE = 'Run `npx tasks makemigrations` and then the migration.'

const NO_TABLE = /42P01|ER_NO_SUCH_TABLE|no such table/
const NO_COLUMN = /42703|ER_BAD_FIELD_ERROR|no such column|has no column named/
/** No right to do it, no grammar to read it, a database that is only read: trying again helps nobody. */
const REFUSED =
  /^(42501|42601|ER_TABLEACCESS_DENIED_ERROR|ER_COLUMNACCESS_DENIED_ERROR|ER_PARSE_ERROR|SQLITE_READONLY|SQLITE_CORRUPT|SQLITE_NOTADB)/
/** No such database, no such user, no such file: it does not come by waiting. */
const MISNAMED =
  /^(SQLITE_CANTOPEN|3D000|28P01|28000|ER_ACCESS_DENIED_ERROR|ER_BAD_DB_ERROR|ER_DBACCESS_DENIED_ERROR)/
/** Not there, not yet there, or full. */
const AWAY =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|57P0[123]|53300|ER_CON_COUNT_ERROR|ER_SERVER_SHUTDOWN|PROTOCOL_CONNECTION_LOST)/
/** What node-postgres says, without a code, of a server that ends in the middle of a question, or gives no answer. */
const CUT_OFF =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|no answer within)/
/** A server that others write to: it was the primary, or will be. */
const READ_ONLY =
  /^(25006|ER_OPTION_PREVENTS_STATEMENT|ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION|ER_READ_ONLY_MODE)$/
/** The drivers' own limits of time, if the app has set any; node-postgres leaves the statement running on the connection. */
const TIMED_OUT = /^(Query read timeout|Query inactivity timeout)/
const TAKEN = /^(23505|ER_DUP_ENTRY|SQLITE_CONSTRAINT_PRIMARYKEY|SQLITE_CONSTRAINT_UNIQUE)$/
const TAKEN_IN_WORDS = /UNIQUE constraint failed|Violation of (PRIMARY|UNIQUE) KEY|ORA-00001/

/** The library's own error where a database's means that the set-up is not complete; others stay as they are. */
export function explained(error: unknown, table: string): unknown {
  const said = `${codeOf(error)} ${messageOf(error)}`
  if (NO_TABLE.test(said))
    return new DataSourceError(`The table "${table}" does not exist.`, MIGRATE, { cause: error })
  if (NO_COLUMN.test(said))
    return new DataSourceError(
      `The table "${table}" lacks a column: ${lastSentence(error)}.`,
      MIGRATE,
      { cause: error },
    )
  if (REFUSED.test(codeOf(error)))
    return new DatabaseError(
      `The database refuses to work on the table "${table}": ${lastSentence(error)}.`,
      'Give the role of the DataSource SELECT, INSERT, UPDATE and DELETE on it.',
      { cause: error },
    )
  return error
}

/** An error at connecting, in words; never with the password. */
export function unreachable(error: unknown, type: string): unknown {
  const isAway = AWAY.test(codeOf(error)) || CUT_OFF.test(messageOf(error))
  if (!isAway && !MISNAMED.test(codeOf(error))) return error
  const Kind = isAway ? DatabaseUnreachableError : DatabaseError
  return new Kind(
    `The database (${type}) cannot be reached: ${lastSentence(error)}.`,
    'Is it running, and are host, port, user and database of the DataSource right?',
    { cause: error },
  )
}

/** Whether the server only reads at present, as one does that was the primary before a fail-over. */
export function isReadOnly(error: unknown): boolean {
  return READ_ONLY.test(codeOf(error))
}

/** Whether no answer came in time, so that nobody knows what the connection is at. */
export function isSilence(error: unknown): boolean {
  return error instanceof NoAnswer || TIMED_OUT.test(messageOf(error))
}

/** Whether a row with such an id, or another unique value, is there already. */
export function isTaken(error: unknown): boolean {
  return TAKEN.test(codeOf(error)) || TAKEN_IN_WORDS.test(messageOf(error))
}

function lastSentence(error: unknown): string {
  return (messageOf(error) || codeOf(error)).trim().replace(/\.$/, '')
}

/** By its form: an error may come from another copy of JavaScript's own classes, as in a vm. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : ''
}
