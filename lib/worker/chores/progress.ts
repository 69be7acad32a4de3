import { clock, inTime } from '../../clock'
import { briefly } from '../../errors/error-record'
import { log } from '../../events/logger'
import type { Progress } from '../../row/record'
import type { Chore, Held, Store } from '../../store'
import type { ClaimedTask } from '../pool/claimed-task'
import type { TaskPool } from '../pool/task-pool'

/** Time in ms between two writes: often enough for a progress bar, whatever a task reports. */
const INTERVAL_MS = 500

/** Writes the progress that running tasks report. What cannot be written now is written later, or with the outcome. */
export class ProgressNotes implements Chore {
  readonly #store: Store
  readonly #pool: TaskPool
  /** Tasks of which a note was refused: said once. */
  readonly #refused = new WeakSet<ClaimedTask>()

  constructor(store: Store, pool: TaskPool) {
    this.#store = store
    this.#pool = pool
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal)
      await this.#write()
    }
  }

  /** Never throws. */
  async #write(): Promise<void> {
    const notes = this.#held().flatMap(noteOf)
    if (notes.length === 0) return
    try {
      const { later, refused } = await inTime(
        this.#store.report(notes.map(({ row }) => row)),
        this.#store.leaseSeconds * 1000,
      )
      const kept = new Set(later.map(({ key }) => key))
      for (const { task, progress, row } of notes) if (!kept.has(row.key)) task.wrote(progress)
      const tasks = new Map(notes.map(({ task }) => [task.row.key, task]))
      for (const { key, reason } of refused) this.#tellRefusal(tasks.get(key), reason)
    } catch (error) {
      log.debug(`The progress of ${notes.length} task(s) is not written yet: ${briefly(error)}`)
    }
  }

  /**
   * Running tasks without those whose lease has not been renewed for half its length. A renewal passes over locked rows, and
   * our own note would lock the row again and again until the lease has ended.
   */
  #held(): ClaimedTask[] {
    const earliest = clock.now() - this.#store.leaseSeconds * 500
    return this.#pool.at('running').filter(({ heldAt }) => heldAt > earliest)
  }

  #tellRefusal(task: ClaimedTask | undefined, reason: string): void {
    if (task === undefined || this.#refused.has(task)) return
    this.#refused.add(task)
    log.warn(`${task.name}: its progress could not be stored and is dropped: ${reason}`)
  }
}

interface Note {
  readonly task: ClaimedTask
  readonly progress: Progress
  readonly row: Held & { readonly progress: string }
}

function noteOf(task: ClaimedTask): Note[] {
  const {
    progress,
    row: { key, claims },
  } = task
  if (progress === null) return []
  return [{ task, progress, row: { key, claims, progress: JSON.stringify(progress) } }]
}
