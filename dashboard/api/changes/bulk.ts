import { setImmediate } from 'node:timers/promises'
import type { TaskPage } from '../../../lib/browser'
import { isTold, problemOf, streamed } from '../answer'
import { browserOf } from '../asked'
import type { Filter } from '../filter'
import { lookerOf, pageOf, WITHIN } from '../reads/tasks'
import type { Changed } from '../wire'
import type { Changing } from './change'
import { type Deed, VERBS } from './verbs'

/** All tasks that a filter finds. */
export interface Bulk {
  readonly filter: Filter
  /** The filter as it was given, for the audit. */
  readonly text: Readonly<Record<string, string>>
  /** So many are changed at most. */
  readonly atMost: number
}

/** Tasks that are looked for at once, and those that are changed before the next line of the answer. */
const PAGE = 200
const CHUNK = 25
/** Refusals that one line tells. */
const MOST_TOLD = 100

/**
 * Changes tasks while the answer is read, the newest first, and tells each time how many they are by now. It ends when nobody
 * reads on; what was changed by then stays so.
 */
export function changeFiltered(changing: Changing, deed: Deed, bulk: Bulk): Response {
  return streamed('application/x-ndjson; charset=utf-8', changing.page.closed, (gone) =>
    new BulkChange(changing, deed, bulk, gone).lines(),
  )
}

class BulkChange {
  readonly #changing: Changing
  readonly #deed: Deed
  readonly #bulk: Bulk
  readonly #stopped: AbortSignal
  readonly #changed: string[] = []
  #refusedCount = 0
  /** Of the next line. */
  #since: { changed: string[]; refused: Changed['refused'][number][] } = {
    changed: [],
    refused: [],
  }

  constructor(changing: Changing, deed: Deed, bulk: Bulk, stopped: AbortSignal) {
    this.#changing = changing
    this.#deed = deed
    this.#bulk = bulk
    this.#stopped = stopped
  }

  async *lines(): AsyncGenerator<string, void> {
    try {
      for await (const ids of this.#found()) {
        await this.#change(ids)
        yield this.#line()
        // A driver that answers at once would leave the app no turn, nor us one to hear that nobody reads on.
        await setImmediate()
      }
      yield this.#line({ isDone: true })
    } catch (error) {
      if (!isTold(error)) this.#changing.page.report(error)
      yield this.#line({ isDone: true, error: problemOf(error) })
    } finally {
      await this.#audit()
    }
  }

  /**
   * Ids of tasks to change, as long as more may be changed. Each page is looked for while the last task of the one before is
   * still there: it says where the next one begins.
   */
  async *#found(): AsyncGenerator<readonly string[], void> {
    let page: TaskPage | null = await this.#page(undefined)
    while (page !== null) {
      const { tasks, next }: TaskPage = page
      page = next === null || this.#left <= 0 ? null : await this.#page(next)
      for (let at = 0; at < tasks.length && this.#left > 0;) {
        const chunk = tasks.slice(at, at + Math.min(CHUNK, this.#left))
        at += chunk.length
        yield chunk.map(({ id }) => id)
      }
    }
  }

  async #page(before: string | undefined): Promise<TaskPage> {
    const browser = await browserOf(this.#changing, this.#deed.backend)
    const bounds = { limit: PAGE, within: WITHIN, before }
    return pageOf(browser, this.#bulk.filter, bounds, lookerOf(this.#changing))
  }

  /** How many more may be changed. */
  get #left(): number {
    return this.#stopped.aborted ? 0 : this.#bulk.atMost - this.#changed.length
  }

  async #change(ids: readonly string[]): Promise<void> {
    await VERBS[this.#deed.change](this.#changing, this.#deed, ids, {
      changed: (some) => {
        this.#changed.push(...some)
        this.#since.changed.push(...some)
      },
      refused: (refusal) => {
        this.#refusedCount++
        if (this.#since.refused.length < MOST_TOLD) this.#since.refused.push(refusal)
      },
    })
  }

  #line(more: Pick<Changed, 'isDone' | 'error'> = {}): string {
    const line: Changed = {
      ...this.#since,
      count: this.#changed.length,
      refusedCount: this.#refusedCount,
      ...more,
    }
    this.#since = { changed: [], refused: [] }
    return `${JSON.stringify(line)}\n`
  }

  async #audit(): Promise<void> {
    const { change: action, backend, priority } = this.#deed
    await this.#changing.audit({
      user: this.#changing.user,
      action,
      backend: backend.alias,
      filter: this.#bulk.text,
      ids: this.#changed,
      changed: this.#changed.length,
      ...(action === 'prioritise' && { priority }),
    })
  }
}
