import type { SetLinks } from '../../../lib/row/flow-parts'
import type { Settled } from '../../../lib/store'
import type * as fill from '../../database/flows/fill'
import type * as settling from '../../database/flows/settling'
import type { ClaimedRaw } from '../../database/row'
import type { Connection } from '../connection'
import { RedisFlowRows } from './flow-rows'

interface Made {
  readonly settling: settling.Settling
  readonly filling: fill.Filling
}

/** What a worker's store does for flows. The code of that is loaded with the first job of one. */
export class RedisFlows {
  readonly #connection: Connection
  readonly #alias: string
  #made: Made | undefined

  constructor(connection: Connection, alias: string) {
    this.#connection = connection
    this.#alias = alias
  }

  settle(sets: readonly SetLinks[]): Promise<number> {
    return this.#make().settling.settle(sets)
  }

  settleWaiting(): Promise<Settled> {
    return this.#make().settling.settleWaiting()
  }

  /** Whether values of a flow belong among the arguments of a row. */
  isToBeFilled({ options }: ClaimedRaw): boolean {
    return options !== null && options.includes('"awaits"')
  }

  /**
   * The rows with the values that they have waited for; those that could not be read are handed to `giveBack`. Never rejects:
   * nobody else would learn of what was claimed.
   */
  async filled<Row extends ClaimedRaw>(
    claimed: readonly Row[],
    giveBack: (rows: readonly Row[]) => Promise<void>,
  ): Promise<readonly ClaimedRaw[]> {
    const waited = claimed.filter((row) => this.isToBeFilled(row))
    if (waited.length === 0) return claimed
    const { filling } = this.#make()
    const first = await filling.firstValues(waited).catch(() => null)
    const unread: Row[] = []
    const filledOne = async (row: Row): Promise<readonly ClaimedRaw[]> => {
      if (!this.isToBeFilled(row)) return [row]
      try {
        if (first !== null) return [await filling.filled(row, first)]
      } catch {
        // Redis does not answer: another claim reads it.
      }
      unread.push(row)
      return []
    }
    const filled: ClaimedRaw[] = []
    for (const row of claimed) filled.push(...(await filledOne(row)))
    if (unread.length > 0) await giveBack(unread).catch(() => {})
    return filled
  }

  #make(): Made {
    if (this.#made) return this.#made
    const { Filling } = require('../../database/flows/fill') as typeof fill
    const { Settling } = require('../../database/flows/settling') as typeof settling
    const rows = new RedisFlowRows(this.#connection, this.#alias)
    return (this.#made = {
      settling: new Settling(rows, this.#alias, false),
      filling: new Filling(rows),
    })
  }
}
