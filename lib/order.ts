import type { FlowPart } from './row/flow-parts'
import type { Slot } from './row/slot'
import type { TraceContext } from './row/trace'
import type { Task } from './task-type'

/** The key of one call: while a row has it, another call writes none. Times are in ms. */
export type TaskKey =
  | { readonly kind: 'unique'; readonly key: string }
  | { readonly kind: 'throttle'; readonly key: string; readonly every: number }
  | {
      readonly kind: 'debounce'
      readonly key: string
      readonly wait: number
      /** null: however long calls follow. */
      readonly atMost: number | null
    }
  /** Of a slot of a schedule: never free again. */
  | { readonly kind: 'slot'; readonly key: string }

/** The key of a call that may be free again. */
export type UserKey = Exclude<TaskKey, { readonly kind: 'slot' }>

/** A call of a task that is to be run, before it is written: plain values, already checked. */
export interface Order {
  readonly task: Task<unknown[], unknown>
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** The text of the column `args_kwargs`: `{"args": […], "kwargs": {…}}`. */
  readonly argsKwargs: string
  /** What may keep it from being written, or have it written later; null: nothing. */
  readonly key: TaskKey | null
  /** What its row is in a flow. */
  readonly flow?: OrderedPart
  /** The slot of a schedule that it is for. */
  readonly slot?: Slot
  /** Where it was enqueued, for the traces of its runs. */
  readonly trace?: TraceContext
}

/** A row's part in a flow, with what else is written of that. */
export interface OrderedPart extends FlowPart {
  /** Its place in a set, as the column `unique_key` has it; null: it is in none. */
  readonly key: string | null
}
