import { clock } from '../../../lib/clock'
import { recordOf } from '../../../lib/errors/error-record'
import { MalformedRowError, NotSupportedError } from '../../../lib/errors/errors'
import { TaskCancelled } from '../../../lib/errors/run-errors'
import type { ClaimedRow, Held, Outcome, Wakeup } from '../../../lib/store'
import type { Movable } from '../../database/moving/movable'
import type { Connection } from '../connection'
import { addRelayed } from './add'

export interface Moved {
  /** Rows that are in Redis now. */
  readonly there: readonly ClaimedRow[]
  /** What becomes of rows that cannot be moved. */
  readonly failed: readonly Outcome[]
}

export interface Moving extends Pick<Movable, 'freeKeys'> {
  /** On our clock: from then on the rows may be another relay's. */
  readonly until: number
}

/** Asks Redis, and keeps the process alive meanwhile. */
export type Within = <T>(work: (connection: Connection) => Promise<T>) => Promise<T>

/** How claimed rows get into Redis. */
export class Moves {
  readonly #within: Within
  readonly #alias: string
  readonly #wakeup: ((wakeup: Wakeup) => void) | undefined

  /** `wakeup`: of the worker beside which the relay runs. */
  constructor(within: Within, alias: string, wakeup?: (wakeup: Wakeup) => void) {
    this.#alias = alias
    this.#within = within
    this.#wakeup = wakeup
  }

  /** @throws if Redis does not answer. */
  async ping(): Promise<void> {
    await this.#within(({ client }) => client.ping())
  }

  /**
   * One round trip.
   *
   * @throws if Redis takes nothing at present; some of the rows may be there all the same.
   */
  async move(rows: readonly ClaimedRow[], { freeKeys, until }: Moving): Promise<Moved> {
    const failed: Outcome[] = []
    const sound: ClaimedRow[] = []
    for (const row of rows) {
      const error = faultOf(row)
      if (error === undefined) sound.push(row)
      else failed.push(failedOf(row, error))
    }
    // From here on Redis keeps them: a task may be over there before its row is deleted.
    const keyed = sound.filter(({ options }) => 'uniqueKey' in options)
    if (keyed.length > 0) await freeKeys(keyed)
    // They may be another relay's by now, be run and deleted, and must not be added again.
    if (clock.now() > until) throw new Error('the claim took too long')
    const refused = await this.#within((connection) => addRelayed(connection, sound, this.#alias))
    for (const [row, error] of refused) failed.push(failedOf(row, error))
    const there = sound.filter((row) => !refused.has(row))
    for (const queue of new Set(there.map(({ values }) => values.queueName)))
      this.#wakeup?.({ what: 'ready', queue })
    return { there, failed }
  }
}

/** What becomes of a row whose relay was lost: it moves again, as often as that takes. */
export function afterLoss(row: ClaimedRow): Outcome {
  if (row.cancelled) return failedOf(row, new TaskCancelled())
  return { ...heldOf(row), status: 'READY', errors: row.values.errors, delay: null }
}

/** Why a row cannot be a job. */
function faultOf({ cancelled, malformed, options }: ClaimedRow): Error | undefined {
  if (cancelled) return new TaskCancelled()
  if (malformed !== null) return new MalformedRowError(malformed)
  if ('flow' in options)
    return new NotSupportedError(
      'The task is one of a flow, which the relay cannot take to Redis: the others are not there.',
      'Enqueue the flow anew, outside of a transaction.',
    )
  return undefined
}

function failedOf(row: ClaimedRow, error: unknown): Outcome {
  return { ...heldOf(row), status: 'FAILED', error: recordOf(error) }
}

function heldOf({ key, claims }: Held): Held {
  return { key, claims }
}
