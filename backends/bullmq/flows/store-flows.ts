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

  /** The row with the values that it has waited for. Rejects if Redis does not answer. */
  async filled(row: ClaimedRaw): Promise<ClaimedRaw> {
    if (!row.options?.includes('"awaits"')) return row
    const { filling } = this.#make()
    return filling.filled(row, await filling.firstValues([row]))
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
