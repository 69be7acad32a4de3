import { DataSourceError, DatabaseError } from '../../lib/errors'
import { codeOf } from './contention'

/** The mend for a table that is not, or not any more, as the entity says. */
export const MIGRATE = 'Run `npx tasks makemigrations` and then the migration.'

const NO_TABLE = /42P01|ER_NO_SUCH_TABLE|no such table/
const NO_COLUMN = /42703|ER_BAD_FIELD_ERROR|no such column|has no column named/
/** No right to do it, no grammar to read it, a database that is only read: trying again helps nobody. */
const REFUSED = /^(42501|42601|ER_TABLEACCESS_DENIED_ERROR|ER_COLUMNACCESS_DENIED_ERROR|ER_PARSE_ERROR|SQLITE_READONLY|SQLITE_CORRUPT|SQLITE_NOTADB)/
const UNREACHABLE = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|SQLITE_CANTOPEN|57P0[123]|3D000|28P01|28000|ER_ACCESS_DENIED_ERROR|ER_BAD_DB_ERROR|PROTOCOL_CONNECTION_LOST)/
/** What node-postgres says, without a code, of a server that ends in the middle of a question. */
const CUT_OFF = /^Connection terminated/

/** The library's own error where a database's means that the set-up is not complete; others stay as they are. */
export function explained(error: unknown, table: string): unknown {
  const said = `${codeOf(error)} ${messageOf(error)}`
  if (NO_TABLE.test(said)) return new DataSourceError(`The table "${table}" does not exist.`, MIGRATE, { cause: error })
  if (NO_COLUMN.test(said)) return new DataSourceError(`The table "${table}" lacks a column: ${lastSentence(error)}.`, MIGRATE, { cause: error })
  if (REFUSED.test(codeOf(error))) return new DatabaseError(`The database refuses to work on the table "${table}": ${lastSentence(error)}.`, 'Give the role of the DataSource SELECT, INSERT, UPDATE and DELETE on it.', { cause: error })
  return error
}

/** An error at connecting, in words; never with the password. */
export function unreachable(error: unknown, type: string): unknown {
  if (!UNREACHABLE.test(codeOf(error)) && !CUT_OFF.test(messageOf(error))) return error
  return new DatabaseError(`The database (${type}) cannot be reached: ${lastSentence(error)}.`, 'Is it running, and are host, port, user and database of the DataSource right?', { cause: error })
}

function lastSentence(error: unknown): string {
  return (messageOf(error) || codeOf(error)).trim().replace(/\.$/, '')
}

/** By its form: an error may come from another copy of JavaScript's own classes, as in a vm. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : ''
}
