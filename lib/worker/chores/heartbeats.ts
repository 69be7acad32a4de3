import { hostname } from 'node:os'
import { clock, inTime } from '../../clock'
import { VERSION } from '../../copies/version'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { Chore, Heartbeat, WorkerRecord } from '../../store'
import { ProcessLoad } from '../process-load'
import { recordIdOf } from '../worker-id'
import type { WorkerSettings } from '../worker-options'
import type { TaskPool } from '../pool/task-pool'
import type { RescueGate } from './rescue-gate'
import { lookIntervalMs } from './rescuer'

/** The interval varies by this share, so that workers started together do not write together. */
const JITTER = 0.1
/** For so many intervals one answer keeps the gate open: the next answer, which is due before, extends that. */
const ANSWER_INTERVALS = 2.5

/**
 * Keeps this worker's record up to date, and learns by that whether the record of another one has expired. Other workers look
 * for rows that lost their worker only then, so none are claimed before the record stands.
 */
export class Heartbeats implements Chore {
  readonly #heartbeat: Heartbeat
  readonly #gate: RescueGate
  readonly #pool: TaskPool
  readonly #leaseMs: number
  readonly #intervalMs: number
  readonly #load = new ProcessLoad()
  readonly #worker: Omit<WorkerRecord, 'running' | 'upMs' | 'eventLoopDelayMs' | 'rssMib'>
  readonly #startedAt = clock.now()
  #beating: Promise<void> | undefined
  /** When the last one was answered, or failed, in ms of the monotonic clock. */
  #endedAt = Number.NEGATIVE_INFINITY
  #isFailing = false

  constructor(
    heartbeat: Heartbeat,
    gate: RescueGate,
    pool: TaskPool,
    settings: WorkerSettings & { readonly leaseSeconds: number },
  ) {
    this.#heartbeat = heartbeat
    this.#gate = gate
    this.#pool = pool
    this.#leaseMs = settings.leaseSeconds * 1000
    this.#intervalMs = lookIntervalMs(settings.leaseSeconds)
    this.#worker = {
      id: recordIdOf(settings),
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      queues: queuesOf(settings),
      concurrency: settings.concurrency,
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#load.start()
    while (!signal.aborted) {
      await this.beat()
      await clock.sleep(this.#intervalMs * (1 - JITTER + 2 * JITTER * Math.random()), signal)
    }
    this.#load.stop()
  }

  /** The record may be missing, or look like that of a lost worker: at the start, and after a time in which the process stood still. */
  get isDue(): boolean {
    return clock.now() - this.#endedAt >= this.#leaseMs
  }

  /** Renews the record; never throws. While one is under way it is not repeated. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#endedAt = clock.now()
      this.#beating = undefined
    })
    return this.#beating
  }

  /** Deletes the record; never throws. If rows may be left behind it stays: the others will look for them when it has expired. */
  async leave(): Promise<void> {
    await this.#beating
    if (this.#gate.hasDoubts) return

    await this.#heartbeat
      .leave(this.#worker.id)
      .catch((error: unknown) =>
        log.debug(`The record of this worker could not be deleted: ${briefly(error)}`),
      )
  }

  async #beat(): Promise<void> {
    try {
      const isAnyGone = await inTime(this.#heartbeat.beat(this.#record()), this.#intervalMs)
      if (isAnyGone) this.#gate.open(ANSWER_INTERVALS * this.#intervalMs)
      this.#isFailing = false
    } catch (error) {
      // Until it is known whether workers were lost, all look as they do without records.
      this.#gate.open()
      if (!this.#isFailing)
        log.warn(`The record of this worker could not be renewed: ${briefly(error)}`)
      this.#isFailing = true
    }
  }

  #record(): WorkerRecord {
    return {
      ...this.#worker,
      running: this.#pool.at('running').length + this.#pool.at('committing').length,
      upMs: Math.round(clock.now() - this.#startedAt),
      ...this.#load.take(),
    }
  }
}

function queuesOf({ queues, excludeQueues }: WorkerSettings): readonly string[] {
  return queues ?? ['*', ...excludeQueues.map((queue) => `-${queue}`)]
}
