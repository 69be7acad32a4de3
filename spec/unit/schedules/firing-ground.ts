import { configureTasks, schedule, type ScheduleOptions, task } from 'typeorm-tasks'
import { setClock } from '#clock'
import { MemoryBackend } from '#memory/backend'
import type { MemoryRow } from '#memory/row'
import { MemoryTable } from '#memory/table'
import { backends } from '../../../lib/backend-registry'
import { schedules } from '../../../lib/schedules/registry'
import { Firing } from '../../../lib/worker/chores/schedules'
import { ManualClock } from '../../support/manual-clock'
import { catchLog, type Line } from '../../support/tasks'

export const MINUTE_MS = 60_000
/** Half a minute before the first slot of a schedule that is due each minute. */
const START = Date.parse('2026-05-04T10:00:30Z')

export const bare = task('firing.bare', () => {})

export interface StoredSlot {
  schedule: string
  at: string
  late: boolean
}

/** Workers, as far as schedules are concerned, on a backend whose time stands still until a spec moves it. */
export class Ground {
  readonly clock = ManualClock.install()
  readonly table = new MemoryTable(() => START + this.clock.now())
  /** By how much the clock of this process is ahead, in ms. */
  ahead = 0
  readonly #lines: Line[] = catchLog()
  #working = new AbortController()

  constructor() {
    jest.spyOn(Date, 'now').mockImplementation(() => START + this.clock.now() + this.ahead)
    const backend = { BACKEND: MemoryBackend, QUEUES: [], OPTIONS: { table: this.table } }
    configureTasks({ default: backend, other: backend })
  }

  start(count = 1): void {
    for (let i = 0; i < count; i++)
      void new Firing(backends.get('default')).run(this.#working.signal)
  }

  /** All workers end, and another one starts after `ms` milliseconds. */
  async restartAfter(ms: number): Promise<void> {
    this.#working.abort()
    await this.clock.advance(ms)
    this.#working = new AbortController()
    this.start()
    await this.clock.advance(0)
  }

  async end(): Promise<void> {
    this.#working.abort()
    await this.clock.advance(0)
    setClock()
    schedules.clear()
    jest.restoreAllMocks()
  }

  /** The slots that have rows, in the order in which they were written: minutes and seconds. */
  fired(): string[] {
    return [...this.table.rows.values()].map((row) => slotOf(row).at.slice(14, 19))
  }

  warnings(): string[] {
    return this.#lines
      .filter(([level]) => level === 'warn' || level === 'error')
      .map(([, text]) => text)
  }
}

export const each = (more: Partial<ScheduleOptions<[]>> = {}) =>
  schedule('spec.each', bare, { every: MINUTE_MS, ...more } as ScheduleOptions<[]>)

export function slotOf({ options }: MemoryRow): StoredSlot {
  return (JSON.parse(options ?? '{}') as { slot: StoredSlot }).slot
}
