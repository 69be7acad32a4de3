import {
  DataSourceError,
  DatabaseError,
  DatabaseUnreachableError,
} from '../../../lib/errors/errors'
import { NoAnswer } from '../../../lib/clock'
import { isA } from '../../../lib/errors/error-record'
import { withoutPasswords } from '../../../lib/errors/foreign-text'
import type { Trouble } from '../profiles/profile'
import { FAMILIES } from '../profiles/profile-of'

/** The hint for a table that does not exist, or does not match the entity: often a migration is there, and not applied. */
export const MIGRATE =
  "Apply the app's migrations: `npx typeorm migration:run -d <data source file>`; if none of them makes it, run `npx tasks makemigrations` first."

/** What the network says, whichever the database: not there, or not there yet. */
const NETWORK_CODES =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH)/

/** The library's own error if a database's means that the set-up is incomplete; others are given back unchanged. */
export function explained(error: unknown, table: string): unknown {
  if (means(error, 'noTable'))
    return new DataSourceError(`The table "${table}" does not exist.`, MIGRATE, { cause: error })
  if (means(error, 'noColumn'))
    return new DataSourceError(
      `The table "${table}" lacks a column: ${lastSentence(error)}.`,
      MIGRATE,
      { cause: error },
    )
  if (means(error, 'misset'))
    return new DatabaseError(
      `A setting of the server keeps tasks from working: ${lastSentence(error)}.`,
      'Run `npx tasks check`, which names the setting; change it for the server or the account.',
      { cause: error },
    )
  if (means(error, 'refused'))
    return new DatabaseError(
      `The database refuses to work on the table "${table}": ${lastSentence(error)}.`,
      refusedHint(codeOf(error)),
      { cause: error },
    )
  return error
}

function refusedHint(code: string): string {
  if (code.startsWith('SQLITE_READONLY'))
    return 'Open the file without `readonly`, and give the user of the process permission to write it and its folder.'
  if (code.startsWith('SQLITE_'))
    return 'The file is no database of SQLite, or is damaged: check its path, or take a backup.'
  return 'Give the role of the DataSource SELECT, INSERT, UPDATE and DELETE on it.'
}

/** The library's own error for values that this database cannot store; others are given back unchanged. */
export function refusedValue(error: unknown, task: string): unknown {
  if (means(error, 'unfit'))
    return new DatabaseError(
      `The database cannot hold a character of the arguments or the queue of task "${task}": ${lastSentence(error)}.`,
      "Let the table hold all of Unicode: on PostgreSQL a database with ENCODING 'UTF8', on MySQL and MariaDB columns of CHARACTER SET utf8mb4.",
      { cause: error },
    )
  return means(error, 'tooLarge') ? tooLarge(task, lastSentence(error), error) : error
}

/** The error for arguments that do not fit into a packet. */
export function tooLarge(task: string, what: string, cause?: unknown): DatabaseError {
  return new DatabaseError(
    `The arguments of task "${task}" are larger than a packet of the server may be: ${what}.`,
    'Give the server a larger max_allowed_packet and connect again, or pass a reference to the data.',
    { cause },
  )
}

/** The library's own error for one at connecting, without the password; others are given back unchanged. */
export function unreachable(error: unknown, type: string): unknown {
  if (error instanceof DatabaseError) return error
  const isPassing = isAway(error)
  if (!isPassing && !means(error, 'misnamed')) return error
  if (isContention(error))
    return new DatabaseUnreachableError(
      `The database (${type}) is locked by others: ${lastSentence(error)}.`,
      'Does another process keep a transaction open?',
      { cause: error },
    )
  const Kind = isPassing ? DatabaseUnreachableError : DatabaseError
  return new Kind(
    `The database (${type}) cannot be reached: ${lastSentence(error)}.`,
    'Is it running, and are host, port, user and database of the DataSource right?',
    { cause: error },
  )
}

/** Whether the database cannot be reached, or is locked by others, at present. */
export function isAway(error: unknown): boolean {
  return (
    isA(error, DatabaseUnreachableError) ||
    isA(error, NoAnswer) ||
    NETWORK_CODES.test(codeOf(error)) ||
    means(error, 'away') ||
    isContention(error)
  )
}

/** Whether the server is read-only at present, as the former primary is after a failover. */
export function isReadOnly(error: unknown): boolean {
  return means(error, 'readOnly')
}

/** Whether no answer came in time, so that the state of the connection is unknown. */
export function isSilence(error: unknown): boolean {
  return error instanceof NoAnswer || means(error, 'timedOut')
}

/** Whether a row with the same id, or another unique value, exists. */
export function isTaken(error: unknown): boolean {
  return means(error, 'taken')
}

/** Whether the savepoint that marks a transaction is gone, and so the transaction. */
export function isMarkGone(error: unknown): boolean {
  return means(error, 'noSavepoint')
}

/** Whether others were in the way, and nothing else is wrong. */
export function isContention(error: unknown): boolean {
  return means(error, 'contention') || isLocked(error)
}

/** Whether it waited too long for a row that somebody else has locked. */
export function isLocked(error: unknown): boolean {
  return means(error, 'locked')
}

/** Whether the server ended the statement, since it took too long. */
export function isTooSlow(error: unknown): boolean {
  return means(error, 'tooSlow')
}

/** As the server's own codes are written: an SQLSTATE, or a name. */
const SERVER_CODES = /^((?=.*\d)[0-9A-Z]{5}$|ER_|UNKNOWN_CODE|SQLITE_)/
/** What says nothing about the content of a statement: it may succeed later, or none would. */
const NO_REFUSALS: readonly Trouble[] = [
  'noTable',
  'noColumn',
  'refused',
  'misnamed',
  'away',
  'readOnly',
  'timedOut',
  'contention',
  'locked',
  'ailing',
]

/** Whether a database that is well refused this very statement: for its content, its size, or the time it took. */
export function isRefusal(error: unknown): boolean {
  if (isOutOfRange(error)) return true
  return SERVER_CODES.test(codeOf(error)) && !NO_REFUSALS.some((trouble) => means(error, trouble))
}

/** A driver's own limit, for which it has no code. */
function isOutOfRange(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { name, driverError } = error as { name?: unknown; driverError?: unknown }
  return name === 'RangeError' || isOutOfRange(driverError)
}

/** Codes of all families are tested: they do not overlap, and an error does not say whose it is. */
function means(error: unknown, trouble: Trouble): boolean {
  const said = `${codeOf(error)} ${messageOf(error)}`
  return FAMILIES.some(({ errors }) => errors[trouble]?.test(said))
}

function lastSentence(error: unknown): string {
  return withoutPasswords(messageOf(error) || codeOf(error))
    .trim()
    .replace(/\.$/, '')
}

/** The driver's own error code, wherever TypeORM put it; empty if there is none. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, driverError } = error as { code?: unknown; driverError?: unknown }
  return typeof code === 'string' ? code : codeOf(driverError)
}

/** By its form: an error may come from another copy of JavaScript's own classes, as in a vm. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : ''
}
