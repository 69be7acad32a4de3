import { instantText } from './columns'
import { channelOf } from '../../wakeups/notify'
import type { PauseWords } from '../dialect'
import type { Table } from '../../table'

/** Asks the worker of a running row to stop. */
export function requestCancelOf(path: string): string {
  return `UPDATE ${path} t SET cancel_requested_at = statement_timestamp() WHERE t.id = :id::uuid AND t.status = 'RUNNING' AND t.lease_until IS NOT NULL`
}

/** On PostgreSQL itself the workers that listen are notified once this is committed. */
export function notifyingCancelOf(table: Table): string {
  const requestCancel = requestCancelOf(table.path)
  return table.type === 'postgres'
    ? `WITH asked AS (${requestCancel} RETURNING t.id) SELECT pg_notify('${channelIn(table)}', 'cancel ' || asked.id) FROM asked`
    : requestCancel
}

/** A notification that is sent twice in a transaction is heard once. */
export function pauseWordsOf(table: Table): PauseWords {
  const notify =
    table.type === 'postgres' ? `SELECT pg_notify('${channelIn(table)}', :told)` : undefined
  return { now: 'statement_timestamp()', instantText, notify }
}

/** The channel's name inside quotes. */
export function channelIn(table: Table): string {
  return channelOf(table).replaceAll("'", "''")
}
