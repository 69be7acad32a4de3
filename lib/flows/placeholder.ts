import { onePerProcess } from '../copies/one-per-process'
import { InvalidTaskError } from '../errors/errors'

/** What a callback of `next`, `onFailure` or `onFinished` is given: it stands for what is known only when a task runs. */
const placeholders = onePerProcess('placeholders', () => new WeakSet<object>())

/** A value that may only be handed on, as a whole argument of an order. */
export function placeholder(): object {
  const made = new Proxy(Object.freeze({}), REFUSING)
  placeholders.add(made)
  return made
}

export function isPlaceholder(value: unknown): value is object {
  return typeof value === 'object' && value !== null && placeholders.has(value)
}

function refuse(): never {
  throw new InvalidTaskError(
    'The value that a step of a flow is given is known only when the task runs; it can only be handed on, as a whole argument of an order of the same flow.',
    'Write a task that takes it, and order that: next((value) => yourTask.order(value)).',
  )
}

const REFUSING: ProxyHandler<object> = {
  get: refuse,
  set: refuse,
  has: refuse,
  ownKeys: refuse,
  deleteProperty: refuse,
  defineProperty: refuse,
  getPrototypeOf: refuse,
  getOwnPropertyDescriptor: refuse,
}
