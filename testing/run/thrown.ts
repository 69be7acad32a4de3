import { type Middleware, setMiddleware } from '../../index'

/** What runs threw last, by the ids of their rows. */
export type Thrown = Map<string, unknown>

/** Calls `work`; what tasks throw meanwhile is put into `thrown`, since a row holds only the text of an error. */
export async function catching<T>(thrown: Thrown, work: () => Promise<T>): Promise<T> {
  const watching: Middleware = {
    async run({ taskResult: { id } }, next) {
      thrown.delete(id)
      try {
        return await next()
      } catch (error) {
        thrown.set(id, error)
        throw error
      }
    },
  }
  setMiddleware([watching, ...setMiddleware([])])
  try {
    return await work()
  } finally {
    // Others may have changed the list meanwhile.
    setMiddleware(setMiddleware([]).filter((each) => each !== watching))
  }
}
