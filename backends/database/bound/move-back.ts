import type { EntityManager } from 'typeorm'
import { COLUMNS } from '../../../entities/columns'
import { instantOf, isParked } from '../../../entities/formats'
import { NotSupportedError } from '../../../lib/errors/errors'
import { Session } from '../connections/session'
import { browseWordsFor } from '../dialects/browsing/words-for'
import type { Place } from '../place'

const INSTANTS = COLUMNS.filter(({ kind }) => kind === 'instant').map(({ name }) => name)

/**
 * Moves all instants of the table's rows into the past, by so many milliseconds, as if that time had passed since. Microseconds
 * stay, so that rows keep their order.
 *
 * @throws NotSupportedError for a database whose SQL is not known.
 */
export async function moveBack(
  { dataSource, table }: Place,
  manager: EntityManager,
  ms: number,
): Promise<void> {
  const words = browseWordsFor(table.type)
  if (!words)
    throw new NotSupportedError(
      `Rows of a database of type ${table.type} cannot be moved back in time.`,
      'Use PostgreSQL, MariaDB, MySQL or SQLite in tests that travel.',
    )
  const session = Session.of(manager, dataSource)
  const read = INSTANTS.map((name) => `${words.instantText(name)} AS ${name}`).join(', ')
  const { records } = await session.query(
    `SELECT ${words.key('id')} AS row_key, ${read} FROM ${table.path}`,
  )
  for (const { row_key: key, ...texts } of records) {
    const moved = Object.entries(texts).flatMap(([name, text]) => {
      const earlier = textBefore(text, ms)
      return earlier === null ? [] : [[name, earlier] as const]
    })
    const changes = moved.map(([name]) => `${name} = ${words.instant(`:${name}`)}`).join(', ')
    await session.query(`UPDATE ${table.path} SET ${changes} WHERE id = :key`, {
      ...Object.fromEntries(moved),
      key: String(key),
    })
  }
}

/** The text of an instant so many milliseconds earlier; null for none, and for what stands in the place of an instant. */
export function textBefore(text: unknown, ms: number): string | null {
  const instant = typeof text === 'string' ? instantOf(text) : null
  if (typeof text !== 'string' || !instant || instant.getUTCFullYear() > 9000 || isParked(text))
    return null
  const [, fraction = ''] = /\.(\d+)/.exec(text) ?? []
  const micros = fraction.padEnd(6, '0').slice(3, 6)
  const earlier = new Date(instant.getTime() - Math.round(ms))
  // As the dialects write instants: where texts are compared, "10:00:00.000000" comes after "10:00:00".
  return `${earlier.toISOString().slice(0, -1).replace('T', ' ')}${micros}`.replace('.000000', '')
}
