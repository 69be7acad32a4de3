import { DatabaseUnreachableError } from '#errors'
import { unreachable } from '#database-errors'

/** What drivers say of a connection that is gone; node-postgres and mysql2 have no code for some. */
it.each([
  ['57P01', 'terminating connection due to administrator command'],
  ['57P05', 'terminating connection due to idle-session timeout'],
  ['08006', 'connection failure'],
  ['08P01', 'server conn crashed?'],
  ['', 'Connection terminated unexpectedly'],
  ['', 'Client has encountered a connection error and is not queryable'],
  ['PROTOCOL_CONNECTION_LOST', 'Connection lost: The server closed the connection.'],
  ['ER_SERVER_SHUTDOWN', 'Server shutdown in progress'],
  ['ER_NORMAL_SHUTDOWN', 'mysqld: Normal shutdown'],
  ['ER_ABORTING_CONNECTION', 'Aborted connection 7'],
  ['ER_NEW_ABORTING_CONNECTION', 'Aborted connection 7'],
  ['ER_QUERY_INTERRUPTED', 'Query execution was interrupted'],
  ['ER_SESSION_WAS_KILLED', 'The current session was killed'],
  ['ER_CLIENT_INTERACTION_TIMEOUT', 'The client was disconnected by the server'],
  ['ER_TOO_MANY_USER_CONNECTIONS', 'User tasks already has more than 10 connections'],
  ['UNKNOWN_CODE_PLEASE_REPORT', 'Connection was killed'],
  ['', "Can't add new command when connection is in closed state"],
  ['ECONNRESET', 'read ECONNRESET'],
])('%s (%s) means that the database is away for now', (code, message) => {
  const error = Object.assign(new Error(message), code === '' ? {} : { code })
  expect(unreachable(error, 'any')).toBeInstanceOf(DatabaseUnreachableError)
})

it.each([
  ['28P01', 'password authentication failed'],
  ['ER_ACCESS_DENIED_ERROR', 'Access denied'],
  ['ER_PARSE_ERROR', 'You have an error in your SQL syntax'],
  ['UNKNOWN_CODE_PLEASE_REPORT', 'Something else'],
])('%s (%s) does not', (code, message) => {
  const error = Object.assign(new Error(message), { code })
  expect(unreachable(error, 'any')).not.toBeInstanceOf(DatabaseUnreachableError)
})
