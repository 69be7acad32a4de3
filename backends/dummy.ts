import { OneClass } from '../lib/copies/one-per-process'
import type { TaskResult } from '../lib/result'
import { KeptInMemory } from './memory/kept-in-memory'

/** Keeps what is enqueued and runs nothing: for tests that look at what was asked for. */
@OneClass('DummyBackend')
export class DummyBackend extends KeptInMemory {
  override readonly supportsDefer = true

  /** What was enqueued since the last `clear()`, oldest first. */
  get results(): TaskResult<unknown>[] {
    return [...this.table.rows.values()].map((row) => this.resultOf(row))
  }

  /** Forgets everything. */
  clear(): void {
    this.table.rows.clear()
  }
}
