import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdtempSync, rmdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk in memory that can be filled to its last byte; only root may make one. */
export class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'tasks-disk-'))

  /** undefined where this machine lets nobody make one. */
  static ofMegabytes(size: number): SmallDisk | undefined {
    const disk = new SmallDisk()
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}m`, 'tmpfs', disk.folder], {
        stdio: 'ignore',
      })
    } catch {
      rmdirSync(disk.folder)
      return undefined
    }
    chmodSync(disk.folder, 0o777)
    return disk
  }

  /** Leaves no byte free. */
  fill(): void {
    for (let free = this.#free(); free > 0; free = this.#free()) {
      try {
        appendFileSync(this.#filler, Buffer.alloc(Math.min(free, 1024 * 1024)))
      } catch {
        // Somebody else took the last of it.
      }
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(this.#filler, { force: true })
  }

  close(): void {
    execFileSync('umount', ['-l', this.folder], { stdio: 'ignore' })
    rmdirSync(this.folder)
  }

  get #filler(): string {
    return join(this.folder, 'filler')
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.folder)
    return bavail * bsize
  }
}
