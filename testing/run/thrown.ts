import { type Middleware, setMiddleware } from '../../index'

/** What runs threw last, by the ids of their rows. */
export type Thrown = Map<string, unknown>

const watchers = new Set<Thrown>()

/** One for all: inline, tasks run within one another, and a middleware for each would be around all that are within it. */
const watching: Middleware = {
  async run({ taskResult: { id } }, next) {
    for (const thrown of watchers) thrown.delete(id)
    try {
      return await next()
    } catch (error) {
      for (const thrown of watchers) thrown.set(id, error)
      throw error
    }
  },
}

/** Calls `work`; what tasks throw meanwhile is put into `thrown`, since a row holds only the text of an error. */
export async function catching<T>(thrown: Thrown, work: () => Promise<T>): Promise<T> {
  watchers.add(thrown)
  // Others may change the list meanwhile.
  setMiddleware([watching, ...withoutWatching()])
  try {
    return await work()
  } finally {
    watchers.delete(thrown)
    if (watchers.size === 0) setMiddleware(withoutWatching())
  }
}

function withoutWatching(): Middleware[] {
  return setMiddleware([]).filter((each) => each !== watching)
}
