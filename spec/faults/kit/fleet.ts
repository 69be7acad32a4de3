import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Field } from './field'
import type { Random } from './random'
import { until } from './until'
import type { WorkerProcess } from './worker-process'

const preload = join(__dirname, 'claim-numbers.cjs')

/** Real workers of one field, as many as told: whoever goes is replaced. */
export class Fleet {
  readonly #field: Field
  readonly #args: readonly string[]
  readonly #environment: () => NodeJS.ProcessEnv
  readonly #workers = new Set<WorkerProcess>()
  readonly #stalled = new Set<WorkerProcess>()
  readonly #replacing: Promise<void>[] = []

  static async start(
    field: Field,
    size: number,
    args: readonly string[],
    environment: () => NodeJS.ProcessEnv = () => ({}),
  ): Promise<Fleet> {
    const fleet = new Fleet(field, args, environment)
    await Promise.all(Array.from({ length: size }, () => fleet.#add()))
    return fleet
  }

  private constructor(field: Field, args: readonly string[], environment: () => NodeJS.ProcessEnv) {
    this.#field = field
    this.#args = args
    this.#environment = environment
  }

  /** SIGKILL to one of them; gives it once it is gone. */
  async kill(random: Random): Promise<WorkerProcess> {
    const worker = await this.#take(random)
    worker.kill('SIGKILL')
    await worker.ended
    this.#replacing.push(this.#replace())
    return worker
  }

  /** SIGTERM to one of them; gives it once it has ended. */
  async stop(random: Random): Promise<WorkerProcess> {
    const worker = await this.#take(random)
    worker.kill('SIGTERM')
    this.#replacing.push(this.#replace())
    await worker.ended
    return worker
  }

  /** Nothing of one of them goes on for so many milliseconds, as on a machine that sleeps. */
  async stall(random: Random, ms: number): Promise<void> {
    const candidates = [...this.#workers].filter((worker) => !this.#stalled.has(worker))
    if (candidates.length === 0) return
    const worker = random.pick(candidates)
    this.#stalled.add(worker)
    worker.kill('SIGSTOP')
    await sleep(ms)
    worker.kill('SIGCONT')
    this.#stalled.delete(worker)
  }

  /** Waits for those that are to come, and tells of workers that ended though nobody asked them to. */
  async deserters(): Promise<string[]> {
    await Promise.all(this.#replacing)
    return [...this.#workers]
      .filter(({ isOver }) => isOver)
      .map(
        ({ name, log }) =>
          `${name} ended by itself: ${log.trim().split('\n').slice(-3).join(' | ')}`,
      )
  }

  /** Waits until there is one: others may have been taken, and not be replaced yet. */
  async #take(random: Random): Promise<WorkerProcess> {
    await until(
      () => this.#workers.size > 0,
      60_000,
      () => 'a worker to be there',
    )
    const worker = random.pick([...this.#workers])
    this.#workers.delete(worker)
    return worker
  }

  /** A database that is away at that moment lets no worker start: it is tried again, as a supervisor would. */
  async #replace(tries = 40): Promise<void> {
    await this.#add().catch(async (error: unknown) => {
      if (tries === 0) throw error
      await sleep(500)
      await this.#replace(tries - 1)
    })
  }

  async #add(): Promise<void> {
    this.#workers.add(await this.#field.worker(this.#args, { preload, env: this.#environment() }))
  }
}
