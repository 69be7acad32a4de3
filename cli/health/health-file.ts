import { lstatSync, rmSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { UsageError } from '../../lib/errors/errors'
import { log } from '../../lib/events/logger'
import type { Report } from './report'

/** Time in ms between two reports. */
const WRITE_MS = 2_000

/** A file that holds the latest report. It is replaced as a whole, so that no reader finds a part of one. */
export class HealthFile {
  readonly #file: string
  readonly #report: () => Report
  readonly #timer: NodeJS.Timeout
  #writing: Promise<void> | undefined
  #isFailing = false

  private constructor(file: string, report: () => Report) {
    this.#file = file
    this.#report = report
    // A process that has nothing left to do is not kept by it.
    this.#timer = setInterval(() => this.#renew(), WRITE_MS).unref()
    // Also where the process is ended before `close`. A file that stays, as after SIGKILL, gets too old.
    process.once('exit', () => rmSync(file, { force: true }))
  }

  /** @throws UsageError if it cannot be written, or something else than a file is there. */
  static async open(file: string, report: () => Report): Promise<HealthFile> {
    assertNothingElse(file)
    try {
      await replace(file, report())
    } catch (error) {
      const code = codeOf(error)
      throw new UsageError(
        code === 'ENOENT'
          ? `argument --health-file: the folder of ${file} is not there.`
          : `argument --health-file: ${file} cannot be written (${code}).`,
        'Give a file in a folder that this user may write to, such as /tmp/tasks.json.',
        { cause: error },
      )
    }
    return new HealthFile(file, report)
  }

  /** Deletes it: the worker has ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    await rm(this.#file, { force: true }).catch(() => {})
  }

  /** While one is under way it is not repeated: a disk may hang. */
  #renew(): void {
    this.#writing ??= replace(this.#file, this.#report())
      .then(
        () => (this.#isFailing = false),
        (error: unknown) => this.#failed(error),
      )
      .then(() => (this.#writing = undefined))
  }

  #failed(error: unknown): void {
    if (!this.#isFailing)
      log.warn(
        `${this.#file} cannot be written (${codeOf(error)}): probes will find it too old. It is tried again.`,
      )
    this.#isFailing = true
  }
}

/** What is there is replaced, and deleted at the end: a device or a link would be gone. */
function assertNothingElse(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (found === undefined || found.isFile()) return
  const kind = found.isDirectory()
    ? 'a folder'
    : found.isSymbolicLink()
      ? 'a link'
      : 'a device, pipe or socket'
  throw new UsageError(
    `argument --health-file: ${file} is ${kind}, and would be replaced.`,
    'Give a path where nothing is, or a file, such as /tmp/tasks.json.',
  )
}

async function replace(file: string, report: Report): Promise<void> {
  const next = `${file}.${process.pid}`
  try {
    await writeFile(next, `${JSON.stringify(report)}\n`)
    await rename(next, file)
  } catch (error) {
    await rm(next, { force: true }).catch(() => {})
    throw error
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code)
}
