import { NotSupportedError, type TaskBackend } from '../../index'
import type { Browser } from '../../lib/browser'
import { CLOSED, Refused } from '../security/access'
import { ListBrowser } from '../../lib/browsing/list-browser'

/** What a page looks at its backends through: opened once, when somebody asks for the first time. */
export class Browsers {
  readonly #opened = new Map<TaskBackend, Promise<Browser>>()
  #isClosed = false

  /** One that could not be opened is opened anew by the next request. @throws Refused once they are closed: none is left open */
  async of(backend: TaskBackend): Promise<Browser> {
    if (this.#isClosed) throw new Refused(CLOSED)
    const known = this.#opened.get(backend)
    if (known) return known
    const opening = open(backend)
    this.#opened.set(backend, opening)
    opening.catch(() => this.#opened.delete(backend))
    return opening
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const all = [...this.#opened.values()]
    this.#opened.clear()
    await Promise.allSettled(all.map(async (browser) => (await browser).close()))
  }
}

async function open(backend: TaskBackend): Promise<Browser> {
  try {
    return await backend.openBrowser()
  } catch (error) {
    if (error instanceof NotSupportedError) return new ListBrowser(backend)
    throw error
  }
}
