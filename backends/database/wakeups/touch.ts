import { closeSync, existsSync, lutimesSync, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { clock } from '../../../lib/clock'
import { briefly } from '../../../lib/errors/error-record'
import { log } from '../../../lib/events/logger'
import type { Wakeup } from '../../../lib/store'
import { fileNameOf, type Folder, isOwn, MOST_QUEUES } from './folder'

/** Time in ms for which it is remembered whether there is a folder, so whether workers may be on this host. */
const LOOK_MS = 1_000

/**
 * Wakes the workers of this user on this host. Synchronous, since a touch takes 4 microseconds, and its way through Node's
 * threads 8 (measured on ext4). Never throws: what is not heard is found by polling.
 */
export class Touch {
  readonly #folder: Folder
  #isHeard = false
  #lookedAt = Number.NEGATIVE_INFINITY
  readonly #made = new Set<string>()

  constructor(folder: Folder) {
    this.#folder = folder
  }

  tell(wakeup: Wakeup): void {
    try {
      if (!this.#isHeardNow()) return
      const path = join(this.#folder.path, fileNameOf(wakeup))
      if (wakeup.what === 'ready') return this.#touch(path)
      // There may be any number of keys, and pauses are rare, so no file stays.
      make(path)
      unlinkSync(path)
    } catch (error) {
      this.#isHeard = false
      if (!isMissing(error))
        log.debug(`Workers on this host are not woken by ${this.#folder.path}: ${briefly(error)}`)
    }
  }

  #isHeardNow(): boolean {
    const now = clock.now()
    if (now - this.#lookedAt < LOOK_MS) return this.#isHeard
    this.#lookedAt = now
    this.#isHeard = existsSync(this.#folder.path) && isOwn(this.#folder)
    return this.#isHeard
  }

  /** By its path, since the folder may have been made anew. A link would not be followed. */
  #touch(path: string): void {
    const seconds = Date.now() / 1_000
    try {
      lutimesSync(path, seconds, seconds)
    } catch (error) {
      if (!isMissing(error)) throw error
      // Apps may make up queues as they go, and the files stay as long as there are workers.
      if (this.#made.size >= MOST_QUEUES && !this.#made.has(path)) return
      this.#made.add(path)
      make(path)
    }
  }
}

/** A file that another process makes at the same moment is heard as well. */
function make(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code
}
