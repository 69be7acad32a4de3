import type { Exchange, Store } from '../../store'
import type { ClaimingStore } from '../stores/claiming-store'

/** What is told of an answer. */
export type Hear = (isAnswered: boolean) => void

/** Who hears of the two apart. */
export interface Hearing {
  readonly exchange: Hear
  readonly renewal: Hear
}

/**
 * The store of a worker; `hear` is told of each answer that shows whether the database takes what this worker needs. Renewals are
 * among them, because a worker that runs long tasks asks for nothing else. The optional tables are not: it works without.
 */
export function hearing(store: Store, hear: Hearing): Store {
  return overlaid(store, {
    exchange: (outcomes, limit, filter) => {
      const exchange = store.exchange(outcomes, limit, filter)
      // Without both it asks nothing.
      return outcomes.length + limit > 0 ? heard(exchange, hear.exchange, isWhole) : exchange
    },
    renew: (rows) => heard(store.renew(rows), hear.renewal),
  })
}

/** The same for the beginning and the end of each exchange of the loop. `end` is told whether it was answered. */
export function pacing(store: ClaimingStore, begin: () => void, end: Hear): ClaimingStore {
  return overlaid(store, {
    exchange: (outcomes, limit, filter) => {
      begin()
      return heard(store.exchange(outcomes, limit, filter), end, isWhole)
    },
  })
}

function isWhole({ failure }: Exchange): boolean {
  return failure === undefined
}

async function heard<T>(
  asked: Promise<T>,
  hear: Hear,
  isAnswer: (answer: T) => boolean = () => true,
): Promise<T> {
  try {
    const answer = await asked
    hear(isAnswer(answer))
    return answer
  } catch (error) {
    hear(false)
    throw error
  }
}

/** `target` with some members of its own replaced. What it may gain later, as getters do, is seen too. */
function overlaid<T extends object>(target: T, own: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      const value: unknown = Reflect.get(name in own ? own : target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
