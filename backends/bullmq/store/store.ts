import type { Pause } from '../../../lib/browser'
import type {
  ClaimFilter,
  Exchange,
  Heartbeat,
  Held,
  Judge,
  Outcome,
  ProgressNote,
  PruneQuery,
  Renewed,
  Reported,
  Rescued,
  Settled,
  Store,
} from '../../../lib/store'
import type { SetLinks } from '../../../lib/row/flow-parts'
import { newId } from '../../ids'
import type { Connection } from '../connection'
import { explainedToWorker } from '../errors'
import { RedisFlows } from '../flows/store-flows'
import { Claims } from './claims'
import { HeldJobs } from './held-jobs'
import { Holding, type Renewal } from './holding'
import { OthersJobs } from './others-jobs'
import { Outcomes } from './outcomes'
import { keptOf } from './kept'
import { Pruner } from './prune'
import { rescueJobs } from './rescue'
import { sweepIds } from './sweep'
import { Workers } from './workers'

export interface BullMQStoreSettings {
  readonly alias: string
  /** Our names of the queues of the backend. */
  readonly queues: readonly string[]
  readonly leaseSeconds: number
  readonly maxCrashes: number
  readonly pausedQueues?: (() => Promise<readonly Pause[]>) | undefined
  /** Called when the store is closed. */
  readonly close?: (() => void) | undefined
}

/** The verbs of a worker, by BullMQ's scripts: manual fetching, as its documentation calls it. */
export class BullMQStore implements Store {
  readonly leaseSeconds: number
  readonly maxCrashes: number
  /** Redis works on one while the answer of the other is read. */
  readonly exchangesAtOnce = 2
  readonly heartbeat: Heartbeat
  readonly pausedQueues: (() => Promise<readonly Pause[]>) | undefined
  readonly #connection: Connection
  readonly #settings: BullMQStoreSettings
  readonly #flows: RedisFlows
  readonly #held: HeldJobs
  readonly #holding: Holding
  readonly #others: OthersJobs
  readonly #claims: Claims
  readonly #outcomes: Outcomes
  readonly #pruner: Pruner

  constructor(connection: Connection, settings: BullMQStoreSettings) {
    const { alias, queues, leaseSeconds, maxCrashes, pausedQueues } = settings
    this.#connection = connection
    this.#settings = settings
    this.leaseSeconds = leaseSeconds
    this.maxCrashes = maxCrashes
    this.pausedQueues = pausedQueues && (() => this.#inWords(pausedQueues()))
    const workers = new Workers(connection, this.#leaseMs)
    this.heartbeat = {
      beat: (record) => this.#inWords(workers.beat(record)),
      leave: (id) => this.#inWords(workers.leave(id)),
    }
    this.#flows = new RedisFlows(connection, alias)
    this.#held = new HeldJobs(newId())
    this.#holding = new Holding(connection, queues, this.#leaseMs)
    this.#others = new OthersJobs(connection)
    this.#claims = new Claims(connection, settings, {
      held: this.#held,
      flows: this.#flows,
      others: this.#others,
    })
    this.#outcomes = new Outcomes(connection, alias, this.#held, this.#holding)
    this.#pruner = new Pruner(connection, queues, (queue, ids) =>
      keptOf(connection, alias, queue, ids),
    )
  }

  /** One round trip: both are sent in one turn. */
  async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    const [written, taken] = await Promise.allSettled([
      this.#outcomes.write(outcomes),
      this.#claims.take(limit, filter),
    ])
    if (written.status === 'rejected') {
      if (taken.status === 'fulfilled') await this.#giveBack(taken.value.rows)
      throw this.#told(written.reason)
    }
    const answers = written.value
    if (taken.status === 'rejected') {
      if (outcomes.length === 0) throw this.#told(taken.reason)
      return { answers, claimed: [], failure: this.#told(taken.reason) }
    }
    const { rows, failures } = taken.value
    const isUnsure = failures.length > 0 ? { isUnsure: true } : {}
    return { answers, claimed: rows, ...isUnsure }
  }

  async renew(rows: readonly Held[]): Promise<Renewed> {
    const jobs = rows.map((row) => this.#held.get(row))
    const known = jobs.filter((job) => job !== undefined)
    const renewals = (await this.#inWords(this.#holding.renew(known)))[Symbol.iterator]()
    // Those that this store does not know are no longer its own.
    const states = jobs.map((job): Renewal => (job ? (renewals.next().value ?? 0) : 0))
    const lost = rows.flatMap(({ key, claims }, i) => {
      const state = states[i]
      return typeof state === 'number' ? [{ key, claims, claimsNow: state }] : []
    })
    for (const row of lost) this.#held.delete(row)
    return { lost, cancelled: rows.filter((_, i) => states[i] === 'cancelled'), unknown: [] }
  }

  async report(notes: readonly ProgressNote[]): Promise<Reported> {
    const known = notes.flatMap((note) => {
      const job = this.#held.get(note)
      return job ? [{ ...job, progress: note.progress }] : []
    })
    await this.#inWords(this.#holding.report(known))
    return { later: [], refused: [] }
  }

  async release(rows: readonly Held[], delay?: number): Promise<number> {
    const released = await Promise.all(
      // The first of them is to be the first again.
      rows.toReversed().map(async (row) => {
        const job = this.#held.get(row)
        if (!job || !(await this.#holding.release(job, delay))) return 0
        this.#held.delete(row)
        return 1 as number
      }),
    )
    return released.reduce((sum, each) => sum + each, 0)
  }

  rescue(judge: Judge): Promise<Rescued> {
    const rescued = rescueJobs(
      {
        connection: this.#connection,
        alias: this.#settings.alias,
        queues: this.#settings.queues.flatMap((name) => this.#connection.names.queuesOf(name)),
        leaseMs: this.#leaseMs,
        held: this.#held,
        outcomes: this.#outcomes,
        holding: this.#holding,
        others: this.#others,
      },
      judge,
    )
    return this.#inWords(rescued)
  }

  settle(sets: readonly SetLinks[]): Promise<number> {
    return this.#flows.settle(sets)
  }

  settleWaiting(): Promise<Settled> {
    return this.#flows.settleWaiting()
  }

  async prune(query: PruneQuery): Promise<number> {
    const deleted = await this.#inWords(this.#pruner.prune(query))
    await sweepIds(this.#connection, this.#settings.queues, query)
    return deleted
  }

  async close(): Promise<void> {
    this.#settings.close?.()
    await this.#connection.close()
  }

  /** The worker does not get them. Where Redis does not answer, the next look for lost rows finds that nobody has them. */
  async #giveBack(rows: readonly Held[]): Promise<void> {
    await this.release(rows).catch(() => {
      for (const row of rows) this.#held.delete(row)
    })
  }

  /** Errors of libraries say the name of an option of theirs, where Redis is away. */
  #inWords<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      throw this.#told(error)
    })
  }

  #told(error: unknown): unknown {
    return explainedToWorker(error, this.#connection.client, this.#settings.alias)
  }

  get #leaseMs(): number {
    return this.leaseSeconds * 1000
  }
}
