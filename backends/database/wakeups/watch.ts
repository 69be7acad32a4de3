import { randomBytes } from 'node:crypto'
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { clock } from '../../../lib/clock'
import { briefly } from '../../../lib/errors/error-record'
import { log } from '../../../lib/events/logger'
import { type Folder, isOwn, wakeupIn } from './folder'
import type { Hear } from './notify'

/** Delay in ms before a folder that was removed is made anew: whatever removes it may not have finished. */
const ANEW_MS = 100

/**
 * Hears what other processes of this user on this host tell. Each worker has a file of its own in the folder: the last one
 * removes the folder, and a worker whose file is gone knows that the folder was removed. Never throws: a worker that
 * cannot hear polls.
 */
export class Watch {
  readonly #folder: Folder
  readonly #hear: Hear
  readonly #file: string
  #watcher: FSWatcher | undefined
  #isEnding = false

  constructor(folder: Folder, hear: Hear) {
    this.#folder = folder
    this.#hear = hear
    this.#file = join(folder.path, `worker-${process.pid}-${randomBytes(4).toString('hex')}`)
  }

  begin(): void {
    try {
      this.#enter()
      // A process must be able to end, also one that has lost its worker.
      this.#watcher = watch(this.#folder.path, { persistent: false }, (type, name) =>
        this.#changed(type, name),
      )
      this.#watcher.on('error', (error) => this.#giveUp(error))
    } catch (error) {
      this.#giveUp(error)
    }
  }

  end(): void {
    this.#isEnding = true
    this.#close()
    try {
      unlinkSync(this.#file)
      const others = readdirSync(this.#folder.path)
      if (others.some(isWorker)) return
      for (const name of others) unlinkSync(join(this.#folder.path, name))
      rmdirSync(this.#folder.path)
      rmdirSync(this.#folder.root)
    } catch {
      // There is none, or another worker uses it.
    }
  }

  /** Another worker may remove the folders between two steps, as the last one of those before. */
  #enter(tries = 3): void {
    const { root, path } = this.#folder
    try {
      make(root)
      if (!isOwn(this.#folder)) throw new Error(`${root} is not a folder of this user alone`)
      make(path)
      writeFileSync(this.#file, '', { mode: 0o600 })
    } catch (error) {
      if (tries <= 1) throw error
      this.#enter(tries - 1)
    }
  }

  #changed(type: string, name: string | null): void {
    const wakeup = name === null ? undefined : wakeupIn(name)
    if (wakeup) this.#hear(wakeup)
    // By cleaners of temporary files, for instance.
    if (type === 'rename' && this.#watcher && !existsSync(this.#file)) void this.#anew()
  }

  async #anew(): Promise<void> {
    this.#close()
    await clock.sleep(ANEW_MS)
    if (!this.#isEnding) this.begin()
  }

  #giveUp(error: unknown): void {
    this.#close()
    log.debug(`The worker polls, and is not woken by ${this.#folder.path}: ${briefly(error)}`)
  }

  #close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}

/** Not that of a worker which was killed: its file stays. In another container its process is not seen, and makes it anew. */
function isWorker(fileName: string): boolean {
  const [, pid] = /^worker-(\d+)-/.exec(fileName) ?? []
  if (pid === undefined) return false
  try {
    return process.kill(Number(pid), 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function make(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
