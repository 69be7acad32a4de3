import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { Field } from './field'
import type { Fleet } from './fleet'
import type { Ground } from './ground'
import type { Proxy } from './proxy'
import { Random } from './random'
import type { Act, Fault } from './schedule'

/** A task of the mix, its arguments, and how often it is drawn. */
const MIX: readonly [number, string, (random: Random) => unknown[]][] = [
  [40, 'long.sleep', (random) => [random.whole(5, 150)]],
  [4, 'long.sleep', (random) => [random.whole(1_500, 4_000)]],
  [8, 'long.listen', (random) => [random.whole(1_000, 6_000)]],
  [10, 'long.flaky', (random) => [random.whole(1, 2)]],
  [8, 'long.fail', () => []],
  [8, 'long.block', (random) => [random.whole(5, 200)]],
  [1, 'long.block', (random) => [random.whole(2_000, 4_500)]],
  [6, 'long.limited', (random) => [random.whole(100, 600)]],
  [15, 'book', (random) => [random.whole(0, 60)]],
]
const BACKLOG = 100
const URN = MIX.flatMap((entry) => Array<(typeof MIX)[number]>(entry[0]).fill(entry))

/** Does to a field what a schedule says, some of it at once, and counts what came of it. */
export class Turmoil {
  readonly counts = new Map<Fault, number>()
  /** What went wrong that must not: an end of a worker that is none of the documented. */
  readonly oddities: string[] = []
  /** Enqueues and cancels that the database was not there for. */
  refused = 0
  readonly #field: Field
  readonly #fleet: Fleet
  readonly #ground: Ground
  readonly #proxy: Proxy | undefined
  #outage: Promise<void> | undefined

  constructor(field: Field, fleet: Fleet, ground: Ground, proxy: Proxy | undefined) {
    this.#field = field
    this.#fleet = fleet
    this.#ground = ground
    this.#proxy = proxy
  }

  async play(schedule: readonly Act[]): Promise<void> {
    const start = performance.now()
    const going: Promise<void>[] = []
    for (const act of schedule) {
      await sleep(Math.max(0, start + act.at - performance.now()))
      this.counts.set(act.fault, (this.counts.get(act.fault) ?? 0) + 1)
      going.push(this.#do(act))
    }
    await Promise.all(going)
  }

  async #do({ fault, ms, seed }: Act): Promise<void> {
    const random = new Random(seed)
    await {
      enqueue: () => this.#unlessAway(() => this.#enqueue(random)),
      cancel: () => this.#unlessAway(() => this.#cancel(random)),
      lock: () => this.#unlessAway(() => this.#lock(ms)),
      snapshot: () => this.#unlessAway(() => this.#snapshot(ms)),
      kill: async () => void (await this.#fleet.kill(random)),
      stop: () => this.#stop(random),
      stall: () => this.#fleet.stall(random, ms),
      outage: () =>
        (this.#outage ??= this.#ground.outage(ms).finally(() => (this.#outage = undefined))),
      cut: async () => this.#proxy?.cut(),
      slow: () => this.#slow(ms),
      silence: () => this.#silence(ms),
    }[fault]()
  }

  /** The database may be away, or somebody else's: whoever asks then is told so, and that is all. */
  async #unlessAway(work: () => Promise<void>): Promise<void> {
    await work().catch(() => void this.refused++)
  }

  /** Not when too much waits already: a backlog would only make the end longer. */
  async #enqueue(random: Random): Promise<void> {
    const [record] = (await this.#field.dataSource.query(
      "SELECT COUNT(*) AS n FROM db_task_result WHERE status = 'READY'",
    )) as { n: string }[]
    if (Number(record?.n) > BACKLOG) return
    const drawn = Array.from({ length: random.whole(5, 40) }, () => random.pick(URN))
    for (const name of new Set(drawn.map(([, each]) => each)))
      await this.#whenFree(() =>
        this.#field.enqueue(
          name,
          drawn.filter(([, each]) => each === name).map(([, , args]) => args(random)),
          { priority: random.whole(-3, 3) },
        ),
      )
  }

  async #cancel(random: Random): Promise<void> {
    // Of the latest, since others have ended.
    const latest = this.#field.enqueued.slice(-60)
    for (let i = 0; i < 3 && latest.length > 0; i++)
      await this.#whenFree(async () => (await this.#field.result(random.pick(latest))).cancel())
  }

  /** On SQLite any other writer of that moment is in the way, and nothing was written. */
  async #whenFree(work: () => Promise<unknown>, tries = 40): Promise<void> {
    await work().catch(async (error: unknown) => {
      if (tries === 0 || !/database is locked/.test(String(error))) throw error
      await sleep(50)
      await this.#whenFree(work, tries - 1)
    })
  }

  async #lock(ms: number): Promise<void> {
    if (this.#ground.name === 'sqlite') return this.#lockFile(Math.min(ms, 2_000))
    await this.#inTransaction(
      'READ COMMITTED',
      "SELECT id FROM db_task_result WHERE status IN ('READY', 'RUNNING') LIMIT 4 FOR UPDATE",
      ms,
    )
  }

  async #lockFile(ms: number): Promise<void> {
    const file = new Sqlite(String(this.#ground.options.database), { timeout: 0 })
    try {
      file.exec('BEGIN IMMEDIATE')
      await sleep(ms)
    } finally {
      file.close()
    }
  }

  #snapshot(ms: number): Promise<void> {
    return this.#inTransaction('REPEATABLE READ', 'SELECT COUNT(*) FROM db_task_result', ms)
  }

  async #inTransaction(
    isolation: 'READ COMMITTED' | 'REPEATABLE READ',
    sql: string,
    ms: number,
  ): Promise<void> {
    const session = await this.#field.another()
    const runner = session.createQueryRunner()
    try {
      await runner.startTransaction(isolation)
      await runner.query(sql)
      await sleep(ms)
      await runner.rollbackTransaction()
    } finally {
      await runner.release()
      await session.destroy()
    }
  }

  async #stop(random: Random): Promise<void> {
    const worker = await this.#fleet.stop(random)
    const { code, signal } = await worker.ended
    // 1: it had to give rows back, or its database was away.
    if (code !== 0 && code !== 1)
      this.oddities.push(`I7: ${worker.name} was asked to stop and ended with ${code ?? signal}`)
  }

  /** The task of an app whose driver has no timeout waits until the network gives its connection up. */
  async #silence(ms: number): Promise<void> {
    this.#proxy?.blackHole('toServer', 2)
    await sleep(ms)
    this.#proxy?.cut()
  }

  async #slow(ms: number): Promise<void> {
    this.#proxy?.delay(400)
    await sleep(ms)
    this.#proxy?.delay(0)
  }
}
