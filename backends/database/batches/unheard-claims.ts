import { log } from '../../../lib/events/logger'
import { isContention, isLocked, isRefusal } from '../connections/database-errors'
import { patiently } from '../connections/session'
import type { Sessions } from '../connections/worker-connections'
import type { Claim, Dialect } from '../dialects/dialect'
import { giveBack } from './unclaim'

/** Most rows that are looked at: no claim takes as many. */
const LIMIT = 10_000

/**
 * Gives back rows that were claimed by a statement whose answer was lost. The database may have committed it, and then they
 * are RUNNING for a worker that does not know of them: at the end of their leases each would count a crash, though no run
 * of it began.
 */
export class UnheardClaims {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  #arePossible = false

  constructor(sessions: Sessions, dialect: Dialect) {
    this.#sessions = sessions
    this.#dialect = dialect
  }

  /** There may be such rows. */
  get arePossible(): boolean {
    return this.#arePossible
  }

  /** A statement that claims has failed. Returns whether it may have claimed rows: what the database itself refused, it has not done. */
  note({ held, limit }: Claim, error: unknown): boolean {
    const mayHaveClaimed =
      limit > 0 && !isRefusal(error) && !isLocked(error) && !isContention(error)
    if (held && mayHaveClaimed) this.#arePossible = true
    return mayHaveClaimed
  }

  /** Must not run beside a claim. @throws the error of a database that cannot be asked yet. */
  async giveBack({ held, workerId, backendName }: Claim): Promise<void> {
    const { chore } = this.#sessions
    const known = new Set(held?.().map(({ key, claims }) => `${key} ${claims}`))
    const running = await patiently(() =>
      this.#dialect.runningOf(chore, { backendName, workerId }, LIMIT),
    )
    const unheard = running.filter(({ row_key, claims }) => !known.has(`${row_key} ${claims}`))
    await giveBack(unheard, (part) => patiently(() => this.#dialect.release(chore, part)))
    this.#arePossible = false
    if (unheard.length > 0)
      log.info(`${unheard.length} row(s) of a claim whose answer was lost are given back`)
  }
}
