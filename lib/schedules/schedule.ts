import type { Order } from '../order'
import { OneClass } from '../copies/one-per-process'
import { assertReceivable } from '../arguments/dto'
import { type Rule, check, wholeNumber } from '../errors/option-checks'
import { enqueueThrough, isWrapped } from '../middleware'
import type { TaskResult } from '../result'
import { LAST_SLOT, slotKey } from '../row/slot'
import { backendFor, orderOf, storeOrder } from '../tasks/orders'
import { PUNCTUAL_MS } from './due'
import { type ScheduleValues, subjectOf } from './schedule-options'

/** Any schedule, whatever its task returns. */
export type AnySchedule = Schedule<unknown>

const INSTANT: Rule = {
  expected: 'a valid Date from 1970 on',
  isSound: (value) => value instanceof Date && value.getTime() >= 0 && value.getTime() <= LAST_SLOT,
}

/** The constructor takes over all of its values, so that none has to be listed here. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, typescript/no-empty-interface, no-unused-vars
export interface Schedule<Return> extends ScheduleValues {}

/** When a task is to be run again and again: made by `schedule(…)`, fired by the workers of the task's backend. */
@OneClass('Schedule')
export class Schedule<Return> {
  /** `values` are checked already. */
  constructor(values: ScheduleValues) {
    Object.assign(this, values)
  }

  /** Its slots after an instant, by default after now. */
  next(count = 1, after: Date = new Date()): Date[] {
    const subject = subjectOf(this.name)
    check(subject, 'next(count)', count, wholeNumber(1))
    check(subject, 'next(…, after)', after, INSTANT)
    return this.slots.after(after.getTime(), count)
  }

  /**
   * Enqueues a run by hand, due at once, on any backend, as if for that slot; by default for now. It is one run more, whatever
   * the workers fire: it has no part in what they miss or skip.
   */
  async fire(slot: Date = new Date()): Promise<TaskResult<Return>> {
    check(subjectOf(this.name), 'fire(slot)', slot, INSTANT)
    const isLate = Date.now() - slot.getTime() > PUNCTUAL_MS
    return (await this.#enqueue(await this.#orderOf(slot, isLate))) as TaskResult<Return>
  }

  /** Enqueues the run of a slot, unless it has been enqueued before; for workers. */
  async enqueueSlot(at: Date, late: boolean): Promise<TaskResult<Return>> {
    const order = await this.#orderOf(at, late)
    const task = order.task.using({ runAfter: at })
    const key = { kind: 'slot', key: slotKey(this.id, at.getTime()) } as const
    return (await this.#enqueue({ ...order, task, key })) as TaskResult<Return>
  }

  /** What a person tells schedules by. */
  toJSON(): Record<string, unknown> {
    const { name, when, timeZone, missed, within, overlap, enabled } = this
    return { name, task: this.task.name, when, timeZone, missed, within, overlap, enabled }
  }

  async #orderOf(at: Date, late: boolean): Promise<Order> {
    const { args: given, task, name } = this
    const args = typeof given === 'function' ? await given({ slot: new Date(at) }) : given
    return { ...orderOf(task, args, {}), slot: { schedule: name, at, late } }
  }

  async #enqueue(order: Order): Promise<TaskResult<unknown>> {
    backendFor(order.task)
    if (order.task.args.length > 0) await assertReceivable(order.task, order.argsKwargs)
    return isWrapped.enqueue
      ? enqueueThrough(order, (given) => storeOrder(given, order))
      : storeOrder(order, order)
  }
}
