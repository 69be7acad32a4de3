import type { BackendSettings } from '../../lib/backend'
import { validateShape } from '../../lib/settings/validation'
import type { SlotRow } from '../../lib/row/slot'
import type { Store, StoreOptions } from '../../lib/store'
import { IsOptional } from '../../lib/settings/class-validator'
import { slotIn } from '../keys'
import { valuesOf } from '../database/row'
import { KeepingOptions, retentionOf } from '../lease-options'
import type { KeepResults } from '../../lib/retention'
import { KeptInMemory } from './kept-in-memory'
import { MemoryStore } from './store'
import type { MemoryTable } from './table'

/** `TASKS.….OPTIONS` of the Memory backend. */
export class MemoryOptions extends KeepingOptions {
  /** Rows to share with other backends of this process. Default: a table of its own. */
  @IsOptional()
  table?: MemoryTable
}

/** A queue in this process, with workers in this process. Its rows end with the process. */
export class MemoryBackend extends KeptInMemory {
  override readonly supportsDefer = true
  override readonly retention: KeepResults | null
  readonly #options: MemoryOptions

  constructor(alias: string, settings: BackendSettings) {
    const path = `TASKS.${alias}.OPTIONS`
    const options = validateShape(MemoryOptions, settings.options, path)
    super(alias, settings, options.table)
    this.#options = options
    this.retention = retentionOf(options, path)
  }

  override async now(): Promise<Date> {
    return new Date(this.table.now())
  }

  override async newestSlot(schedule: string): Promise<SlotRow | null> {
    const row = this.table.newestSlot(schedule)
    const at = row && slotIn(schedule, row.unique_key)
    if (!row || !at) return null
    const { status, finishedAt } = valuesOf(row)
    return { at, status, finishedAt }
  }

  override async openStore({
    leaseSeconds = this.#options.leaseSeconds ?? 30,
    wakeup,
  }: StoreOptions): Promise<Store> {
    const settings = {
      backendName: this.alias,
      leaseSeconds,
      maxCrashes: this.#options.maxCrashes ?? 3,
    }
    return new MemoryStore(this.table, settings, wakeup && this.table.listen(wakeup))
  }
}
