import { v7 as uuidv7 } from 'uuid'
import type { ResultValues } from '../../lib/record'
import type {
  ClaimedRow,
  Exchange,
  Held,
  Outcome,
  Renewal,
  Renewed,
  Rescued,
  Store,
  Wishes,
} from '#lib/store'

/** A store in memory, at the seam where a database would be: it gives what waits, and remembers what it was told. */
export class FakeStore implements Store {
  leaseSeconds = 30
  maxCrashes = 3
  readonly waiting: ClaimedRow[] = []
  readonly asked: { outcomes: readonly Outcome[]; room: number; wishes: Wishes }[] = []
  readonly kept: Outcome[] = []
  readonly renewals: Renewal[] = []
  readonly released: Held[] = []
  closed = 0
  /** Thrown by that many of the next exchanges. */
  failures = 0
  /** Whether an outcome's fence holds. */
  holds = (_outcome: Outcome): boolean => true

  /** Puts a row in, to be claimed. */
  add(
    taskName: string,
    args: readonly unknown[] = [],
    differently: Partial<ClaimedRow> = {},
  ): ClaimedRow {
    const id = uuidv7()
    const values: ResultValues = {
      id,
      taskName,
      args,
      kwargs: {},
      status: 'RUNNING',
      enqueuedAt: new Date(0),
      startedAt: new Date(1),
      finishedAt: null,
      priority: 0,
      queueName: 'default',
      backend: 'default',
      runAfter: null,
      workerIds: ['w-1'],
      errors: [],
      returnValue: null,
      progress: null,
    }
    const row = {
      key: id,
      claims: 1,
      values,
      malformed: null,
      cancelled: false,
      options: {},
      ...differently,
    }
    this.waiting.push(row)
    return row
  }

  async exchange(outcomes: readonly Outcome[], room: number, wishes: Wishes): Promise<Exchange> {
    this.asked.push({ outcomes, room, wishes })
    if (this.failures-- > 0) throw new Error('connection lost')
    this.failures = 0
    const kept = outcomes.map((outcome) => this.holds(outcome))
    this.kept.push(...outcomes.filter((_, i) => kept[i]))
    return { kept, claimed: this.waiting.splice(0, room) }
  }

  async renew(rows: readonly Renewal[]): Promise<Renewed> {
    this.renewals.push(...rows)
    return { lost: [], cancelled: [] }
  }

  async release(rows: readonly Held[]): Promise<number> {
    this.released.push(...rows)
    return rows.length
  }

  async rescue(): Promise<Rescued> {
    return { released: [], failed: [] }
  }

  async prune(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {
    this.closed++
  }
}
