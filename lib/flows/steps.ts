import type { EntityManager } from 'typeorm'
import type { Order } from '../order'

/** A call of a task within a flow. */
export interface Leaf {
  readonly order: Order
  /** Where among its arguments what the flow gives goes, and which placeholder stands there. */
  readonly fills: readonly { readonly index: number; readonly placeholder: object }[]
  /**
   * Checks the arguments by their classes, unless the flow gives some of them, and all of an order that a middleware has changed.
   * Gives the order as it is to be written.
   */
  readonly check: (order: Order) => Promise<Order>
  /** The order with this value in the places that the flow fills. */
  readonly filled: (value: unknown) => Order
}

/** Orders, or flows, that run side by side. What comes next waits for all of them. */
export interface Stage {
  readonly members: readonly (Leaf | Steps)[]
  /** Whether what comes next gets a list: a group gives one, also of one member. */
  readonly isGroup: boolean
  /** What this stage was given to hand on. */
  readonly given?: object
}

/** A flow that runs when all of another one have finished. */
export interface Handler {
  readonly when: 'failed' | 'finished'
  readonly flow: Steps
  readonly given: object
}

/** What a flow consists of. */
export interface Steps {
  readonly stages: readonly Stage[]
  readonly handlers: readonly Handler[]
}

/** What one enqueue of a flow may ask for. */
export interface FlowOptions {
  /** Enqueues in this manager's transaction. */
  manager?: EntityManager | undefined
}
