import type { Chore } from '../../store'
import type { TaskBackend } from '../../backend'
import { clock, inTime } from '../../clock'
import { briefly } from '../../errors/error-record'
import { NotSupportedError } from '../../errors/errors'
import { log } from '../../events/logger'
import { dueSlots, MOST_MISSED, PUNCTUAL_MS } from '../../schedules/due'
import { schedules } from '../../schedules/registry'
import type { AnySchedule } from '../../schedules/schedule'
import { ANSWER_MS, BackendTime } from './backend-time'

/** Longest sleep in ms: then it looks whether the clock was set, and whether there are other schedules. */
const LONGEST_SLEEP_MS = 30_000
/**
 * After so many ms it looks whether a row that it has written is there: on SQLite it may have got into a transaction of the app
 * that was rolled back, and a server that takes over after another one may lack it.
 */
const CONFIRM_MS = 5_000
/** Delay in ms before another try after an error: at first, and at most, while errors follow each other. */
const AGAIN_MS = 1_000
const LATEST_AGAIN_MS = 30_000
/** The tries of workers vary by this share, so that they do not come together. */
const JITTER = 0.3

/** What this worker knows of a schedule. Instants in ms since 1970, by the backend's clock. */
interface State {
  /** When it began to look after it, or looked last. */
  since: number
  /** When to look next. */
  due: number
  /** Tries that have failed since the last one that did not. */
  failures: number
}

/**
 * Enqueues the slots of schedules when they are due. Every worker does this, and none leads: the key of a slot lets one of them
 * write its row.
 */
export class Firing implements Chore {
  readonly #backend: TaskBackend
  readonly #time: BackendTime
  /** By the id of the schedule, so that a changed expression begins anew. */
  readonly #states = new Map<string, State>()
  #failures = 0

  constructor(backend: TaskBackend) {
    this.#backend = backend
    this.#time = new BackendTime(backend)
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await clock.sleep(await this.#round(signal), signal)
    } catch (error) {
      log.warn(`This worker fires no schedules: ${briefly(error)}`)
    }
  }

  /**
   * Looks after the schedules that are due. Resolves to the time in ms until the next one is.
   *
   * @throws NotSupportedError if the backend cannot fire schedules.
   */
  async #round(signal: AbortSignal): Promise<number> {
    try {
      await this.#time.refresh()
      this.#failures = 0
    } catch (error) {
      if (error instanceof NotSupportedError) throw error
      if (this.#failures === 0)
        log.warn(`The time of the database, which schedules go by, is not known: ${briefly(error)}`)
      return againMs(++this.#failures)
    }
    let next = this.#time.now + LONGEST_SLEEP_MS
    for (const schedule of schedules.firedBy(this.#backend.alias)) {
      const state = this.#stateOf(schedule)
      if (state.due <= this.#time.now) await this.#look(schedule, state, signal)
      next = Math.min(next, state.due)
    }
    return Math.max(0, next - this.#time.now)
  }

  #stateOf({ id }: AnySchedule): State {
    const { now } = this.#time
    const known = this.#states.get(id)
    if (known) return known
    const state = { since: now, due: now, failures: 0 }
    this.#states.set(id, state)
    return state
  }

  /** Never rejects: one schedule must not keep the others. */
  async #look(schedule: AnySchedule, state: State, signal: AbortSignal): Promise<void> {
    try {
      const newest = await inTime(this.#backend.newestSlot(schedule.id), ANSWER_MS)
      const { now } = this.#time
      const { slots, isCut } = dueSlots(schedule, { ...state, newest }, now)
      if (isCut)
        log.warn(
          `Schedule "${schedule.name}" has missed more than ${MOST_MISSED} slots: the latest ${MOST_MISSED} are made up for`,
        )
      let hasWritten = false
      for (const slot of slots) {
        if (signal.aborted) return
        const late = now - slot.getTime() > PUNCTUAL_MS
        const { isDuplicate } = await schedule.enqueueSlot(slot, late)
        hasWritten ||= !isDuplicate
      }
      state.since = now
      const next = schedule.slots.after(now, 1)[0]?.getTime() ?? Number.POSITIVE_INFINITY
      state.due = hasWritten ? Math.min(next, now + CONFIRM_MS) : next
      state.failures = 0
    } catch (error) {
      if (state.failures === 0)
        log.error(`Schedule "${schedule.name}" could not be fired: ${briefly(error)}`)
      state.failures += 1
      state.due = this.#time.now + againMs(state.failures)
    }
  }
}

function againMs(failures: number): number {
  const ms = Math.min(LATEST_AGAIN_MS, AGAIN_MS * 2 ** (failures - 1))
  return ms * (1 - JITTER + 2 * JITTER * Math.random())
}
