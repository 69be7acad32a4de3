import type { Chore, PruneQuery } from '../../../lib/store'

/** A relay as others see it; the types of the door lead to no more. */
export interface RunningRelay extends Chore {
  /** How many rows it has moved. */
  readonly moved: number
  /**
   * Moves what is due now. What other relays hold it waits for, since one may have been killed: 12 s at most. Resolves to how many
   * rows they hold still.
   *
   * @throws what keeps it from that
   */
  drain(signal: AbortSignal): Promise<number>
  /** Deletes finished rows of the table: those that could not be moved, or were cancelled before. */
  prune(query: PruneQuery): Promise<number>
  close(): Promise<void>
}
