import { briefly } from '../../../lib/errors/error-record'
import { log } from '../../../lib/events/logger'
import type { Sessions } from '../connections/worker-connections'
import type { Dialect } from '../dialects/dialect'
import type { ClaimedRaw, HeldRow } from '../row'

/** The most arguments that one claim brings, in characters; one row may have more. */
const MAX_AT_HAND = 32 * 1024 * 1024
/** What one statement reads, in characters, by the size of those read before. */
const READ_AT_ONCE = 4 * 1024 * 1024
const FIRST_READ = 4
const LONGEST_READ = 200

/** Reads the arguments that claims left out for their size, as far as memory bears it; the other rows are given back. */
export class LargeArguments {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  /** Rows that are not given back yet: nobody runs them. */
  readonly #owed = new Set<HeldRow>()

  constructor(sessions: Sessions, dialect: Dialect) {
    this.#sessions = sessions
    this.#dialect = dialect
  }

  /** The rows that can be run, complete. Never rejects: nobody else would learn of what was claimed. */
  async complete(claimed: readonly ClaimedRaw[]): Promise<readonly ClaimedRaw[]> {
    const small = claimed.filter((row) => row.args_kwargs !== null)
    const large = claimed.filter((row) => row.args_kwargs === null).toSorted(bestFirst)
    const read = await this.#read(large, MAX_AT_HAND - sizeOf(small))
    await this.giveBack(large.slice(read.length))
    return [...small, ...read]
  }

  /** Some rows could not be given back. */
  get owesRows(): boolean {
    return this.#owed.size > 0
  }

  /** Tries again to give them back. */
  async settle(): Promise<void> {
    await this.#giveBack([])
  }

  async #read(large: readonly ClaimedRaw[], room: number): Promise<ClaimedRaw[]> {
    const read: ClaimedRaw[] = []
    let size = 0
    for (
      let count = FIRST_READ;
      read.length < large.length && (size < room || read.length === 0);
    ) {
      const rows = large.slice(read.length, read.length + (read.length === 0 ? 1 : count))
      const texts = await this.#textsOf(rows)
      if (texts === null) break
      const complete = rows.map((row) => ({
        ...row,
        args_kwargs: texts.get(row.row_key) ?? row.args_kwargs,
      }))
      read.push(...complete)
      size += sizeOf(complete)
      count = Math.min(LONGEST_READ, Math.floor(READ_AT_ONCE / (1 + size / read.length)))
      count = Math.max(1, Math.min(count, Math.floor((room - size) / (1 + size / read.length))))
    }
    return read
  }

  async #textsOf(rows: readonly ClaimedRaw[]): Promise<ReadonlyMap<string, string> | null> {
    const keys = rows.map((row) => row.row_key)
    try {
      return await this.#dialect.argumentsOf(this.#sessions.exchange, keys)
    } catch (error) {
      log.warn(`The arguments of ${keys.length} task(s) could not be read: ${briefly(error)}`)
      return null
    }
  }

  /** Gives rows back that cannot be run here now; if that fails, later. */
  async giveBack(rows: readonly ClaimedRaw[]): Promise<void> {
    await this.#giveBack(rows.map(heldRow))
  }

  async #giveBack(rows: readonly HeldRow[]): Promise<void> {
    for (const row of rows) this.#owed.add(row)
    const held = [...this.#owed]
    if (held.length === 0) return
    try {
      const { locked } = await this.#dialect.release(this.#sessions.chore, held)
      for (const row of held) if (!locked.has(row.row_key)) this.#owed.delete(row)
    } catch (error) {
      log.warn(`${held.length} task(s) could not be given back yet: ${briefly(error)}`)
    }
  }
}

function sizeOf(rows: readonly ClaimedRaw[]): number {
  let size = 0
  for (const row of rows) size += row.args_kwargs?.length ?? 0
  return size
}

function heldRow({ row_key, claims }: ClaimedRaw): HeldRow {
  return { row_key, claims: Number(claims ?? 0) }
}

/** The last ones are given back. Texts of instants sort as they do; an undelayed row comes after delayed ones. */
function bestFirst(a: ClaimedRaw, b: ClaimedRaw): number {
  const textOf = (row: ClaimedRaw): string => `${row.run_after ?? '9999'} ${row.enqueued_at ?? ''}`
  return Number(b.priority) - Number(a.priority) || (textOf(a) < textOf(b) ? -1 : 1)
}
