import { dashed } from '../../../entities/formats'
import { InvalidTaskError } from '../../../lib/errors/errors'
import { shown } from '../../../lib/errors/suggestions'
import { isUuid } from '../../ids'
import { wholeOptions } from '../../keys'
import type { Dialect } from '../dialects/dialect'
import { withoutNewestSlots } from '../enqueueing/slots'
import { withoutAwaited } from '../flows/prunable-members'
import { partOf } from '../flows/settling'
import { padded, type Sight } from './sight'

/** Rows of one statement. */
const CHUNK = 200

interface Row {
  readonly row_key: string
  readonly status: string
  readonly options: string | null
  readonly unique_key: string | null
}

/**
 * Deletes rows that have finished, and READY ones that are in no flow. Kept is what others need: a READY task of a flow (cancel it
 * first: then what waits for it is FAILED, and both may be deleted), a finished one for which a task still waits, and the newest
 * run of a schedule, by which it is known what is due next.
 */
export async function removeRows(
  sight: Sight,
  dialect: Dialect,
  ids: readonly string[],
): Promise<string[]> {
  const gone: string[] = []
  for (const part of partsOf(sight, ids)) {
    const rows = await rowsOf(sight, part)
    const finished = keysIn(rows, ({ status }) => status === 'SUCCESSFUL' || status === 'FAILED')
    const alone = keysIn(rows, (row) => row.status === 'READY' && !isInFlow(row))
    const { hexIds } = sight.table
    const unawaited =
      finished.length === 0
        ? []
        : await sight.asking.do((session) =>
            withoutAwaited(dialect.flowRows(session), finished, hexIds),
          )
    const free = await sight.asking.inTime(
      withoutNewestSlots(sight.asking.dataSource.manager, [...unawaited, ...alone]),
    )
    const [ended, ready] = [free.filter(isOneOf(finished)), free.filter(isOneOf(alone))]
    // Each by what it was: meanwhile a worker may have claimed it, or somebody retried it.
    if (ended.length > 0) await sight.asking.do((session) => dialect.deleteFinished(session, ended))
    if (ready.length > 0)
      await sight.asking.do((session) =>
        session.query(`DELETE FROM ${sight.path} WHERE id IN (:keys) AND status = 'READY'`, {
          keys: padded(ready),
        }),
      )
    const left = new Set((await rowsOf(sight, free)).map(({ row_key }) => row_key))
    gone.push(...free.filter((key) => !left.has(key)))
  }
  return gone.map(dashed)
}

/** Sets the priority of rows that are READY. @throws InvalidTaskError for a priority that no task can have */
export async function prioritiseRows(
  sight: Sight,
  ids: readonly string[],
  priority: number,
): Promise<string[]> {
  if (!Number.isInteger(priority) || Math.abs(priority) > 100)
    throw new InvalidTaskError(
      `Expected a priority that is a whole number from -100 to 100, got ${shown(priority)}.`,
      'Give e.g. 10; tasks of a higher priority run first.',
    )
  const { asking, backendName, isBackend, path, words } = sight
  const changed: string[] = []
  for (const part of partsOf(sight, ids)) {
    const keys = (await rowsOf(sight, part)).map(({ row_key }) => row_key)
    if (keys.length === 0) continue
    await asking.do((session) =>
      session.query(
        `UPDATE ${path} SET priority = :priority WHERE id IN (:keys) AND status = 'READY'`,
        { priority, keys: padded(keys) },
      ),
    )
    const now = await asking.rows<{ row_key: string }>(
      `SELECT ${words.key('t.id')} AS row_key FROM ${path} t WHERE t.id IN (:keys) AND t.status = 'READY' AND t.priority = :priority AND ${isBackend}`,
      { priority, keys: padded(keys), backend: backendName },
    )
    changed.push(...now.map(({ row_key }) => dashed(row_key)))
  }
  return changed
}

function* partsOf(sight: Sight, ids: readonly string[]): Generator<string[]> {
  const keys = [...new Set(ids.filter((id) => isUuid(dashed(id))).map(sight.keyOf))]
  for (let at = 0; at < keys.length; at += CHUNK) yield keys.slice(at, at + CHUNK)
}

function rowsOf(sight: Sight, keys: readonly string[]): Promise<Row[]> {
  if (keys.length === 0) return Promise.resolve([])
  const { asking, backendName, isBackend, path, words } = sight
  return asking.rows<Row>(
    `SELECT ${words.key('t.id')} AS row_key, t.status AS status, ${words.asText('t.options')} AS options, t.unique_key AS unique_key
      FROM ${path} t WHERE t.id IN (:keys) AND ${isBackend}`,
    { keys: padded(keys), backend: backendName },
  )
}

function isInFlow({ options, unique_key }: Row): boolean {
  const { member, awaits } = partOf(wholeOptions(options, unique_key))
  return member !== undefined || awaits !== undefined
}

function keysIn(rows: readonly Row[], isWanted: (row: Row) => boolean): string[] {
  return rows.filter(isWanted).map(({ row_key }) => row_key)
}

function isOneOf(keys: readonly string[]): (key: string) => boolean {
  const known = new Set(keys)
  return (key) => known.has(key)
}
