import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { typeormEnv } from '../../support/typeorm'
import { ROOT } from './worker-process'

/** One command of the built command line, in a process of its own. */
export class Command {
  said = ''
  readonly ended: Promise<{ readonly code: number | null; readonly said: string }>
  readonly #child: ChildProcess

  constructor(cwd: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, [join(ROOT, 'dist/cli/index.js'), ...args], {
      cwd,
      env: typeormEnv(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text: Buffer) => (this.said += text.toString()))
    this.ended = once(this.#child, 'close').then(() => ({
      code: this.#child.exitCode,
      said: this.said,
    }))
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
