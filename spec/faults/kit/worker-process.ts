import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { typeormEnv } from '../../support/typeorm'
import { until } from './until'

export const ROOT = join(__dirname, '../../..')
const BIN = join(ROOT, 'dist/cli/index.js')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface WorkerWish {
  /** Added to the environment. */
  readonly env?: NodeJS.ProcessEnv
  /** A CommonJS file that is loaded before all else. */
  readonly preload?: string
  /** Options of node itself. */
  readonly node?: readonly string[]
  /** What stands in the place of `node dist/cli/index.js`, for workers that are started in a roundabout way. */
  readonly command?: (line: readonly string[]) => readonly string[]
}

/** A real worker of the command line, with all it says. */
export class WorkerProcess {
  readonly name: string
  readonly ended: Promise<Ended>
  log = ''
  readonly #child: ChildProcess

  constructor(
    cwd: string,
    name: string,
    args: readonly string[],
    { env = {}, preload, node = [], command = (line) => line }: WorkerWish = {},
  ) {
    const [file = '', ...rest] = command([
      process.execPath,
      ...node,
      BIN,
      'db_worker',
      '--no-startup-delay',
      '--interval',
      '0.2',
      '--worker-id',
      name,
      ...args,
    ])
    const loaded =
      preload === undefined
        ? {}
        : {
            NODE_OPTIONS:
              `${typeormEnv()['NODE_OPTIONS'] ?? ''} --require ${JSON.stringify(preload)}`.trim(),
          }
    this.name = name
    // A group of its own, so that whatever it starts can be ended with it.
    this.#child = spawn(file, rest, {
      cwd,
      detached: true,
      env: { ...typeormEnv(), ...loaded, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.ended = once(this.#child, 'close').then(() => ({
      code: this.#child.exitCode,
      signal: this.#child.signalCode,
    }))
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text: Buffer) => (this.log += text.toString()))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Sends the signal to that process alone. */
  kill(signal: NodeJS.Signals): void {
    if (!this.isOver) process.kill(this.pid, signal)
  }

  /** Resolves once its log has the text, or fails when it has ended without. */
  async says(text: string | RegExp, times = 1, bound = 20_000): Promise<void> {
    const isSaid = (): boolean => this.log.split(text).length > times
    await until(
      () => isSaid() || this.isOver,
      bound,
      () => `${this.name} to say "${String(text)}" ${times} times; it said:\n${this.log}`,
    )
    if (!isSaid())
      throw new Error(
        `${this.name} ended before it said "${String(text)}" ${times} times; it said:\n${this.log}`,
      )
  }

  /** Asks it to stop, and waits for that. */
  async stop(): Promise<Ended> {
    this.kill('SIGCONT')
    this.kill('SIGTERM')
    return this.ended
  }

  /** Ends it and whatever it started. */
  async destroy(): Promise<void> {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
    await this.ended
  }
}
