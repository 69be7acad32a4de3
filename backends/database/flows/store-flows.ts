import type { SetLinks } from '../../../lib/row/flow-parts'
import type { Settled } from '../../../lib/store'
import type { Sessions } from '../connections/worker-connections'
import { patiently } from '../connections/session'
import type { Dialect } from '../dialects/dialect'
import type { ClaimedRaw } from '../row'
import type * as fill from './fill'
import type * as settling from './settling'

interface Made {
  readonly settling: settling.Settling
  readonly filling: fill.Filling
}

/** What a worker's store does for flows. The code of that is loaded with the first row of one. */
export class StoreFlows {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  readonly #backendName: string
  readonly #hexIds: boolean
  #made: Made | undefined

  constructor(sessions: Sessions, dialect: Dialect, backendName: string, hexIds: boolean) {
    this.#sessions = sessions
    this.#dialect = dialect
    this.#backendName = backendName
    this.#hexIds = hexIds
  }

  settle(sets: readonly SetLinks[]): Promise<number> {
    return this.#make().settling.settle(sets)
  }

  settleWaiting(): Promise<Settled> {
    return this.#make().settling.settleWaiting()
  }

  /** Whether values of a flow belong among the arguments of a row. */
  isToBeFilled({ options, args_kwargs: text }: ClaimedRaw): boolean {
    return options !== null && text !== null && options.includes('"awaits"')
  }

  /**
   * The rows with the values that they have waited for; those that could not be read are handed to `giveBack`. Never rejects:
   * nobody else would learn of what was claimed.
   */
  async filled(
    claimed: readonly ClaimedRaw[],
    giveBack: (rows: readonly ClaimedRaw[]) => Promise<void>,
  ): Promise<readonly ClaimedRaw[]> {
    const { filling } = this.#make()
    const filled: ClaimedRaw[] = []
    const unread: ClaimedRaw[] = []
    const waited = claimed.filter((row) => this.isToBeFilled(row))
    const first = await patiently(() => filling.firstValues(waited)).catch(() => null)
    for (const row of claimed)
      if (!this.isToBeFilled(row)) filled.push(row)
      else if (first === null) unread.push(row)
      else
        await patiently(() => filling.filled(row, first)).then(
          (whole) => filled.push(whole),
          () => unread.push(row),
        )
    if (unread.length > 0) await giveBack(unread)
    return filled
  }

  #make(): Made {
    if (this.#made) return this.#made
    const { Filling } = require('./fill') as typeof fill
    const { Settling } = require('./settling') as typeof settling
    const { chore, exchange } = this.#sessions
    return (this.#made = {
      settling: new Settling(this.#dialect.flowRows(chore), this.#backendName, this.#hexIds),
      filling: new Filling(this.#dialect.flowRows(exchange)),
    })
  }
}
