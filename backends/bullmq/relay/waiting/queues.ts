import type { Browser, QueueState } from '../../../../lib/browser'
import { MOST_COUNTED } from '../../../../lib/browser'

/** Counts of the browser of Redis, and of the rows that wait in the table. `open`: a browser of these, which is closed with the other. */
export function withWaiting(browser: Browser, open: () => Promise<Browser>): Browser {
  const { queues, close } = browser
  let opened: Promise<Browser> | undefined
  const rows = (): Promise<Browser> => {
    if (opened) return opened
    const opening = open()
    opened = opening
    opening.catch(() => (opened = undefined))
    return opening
  }
  const own: Partial<Browser> = {
    queues: async () => {
      const [inRedis, inTable] = await Promise.all([
        queues.call(browser),
        rows().then((each) => each.queues()),
      ])
      return sums(inRedis, inTable)
    },
    close: async () => {
      await (await opened?.catch(() => undefined))?.close()
      await close.call(browser)
    },
  }
  return Object.assign(browser, own)
}

/** Those of Redis, with what waits for them; and other queues that have rows, whose states are of the table alone. */
function sums(
  inRedis: readonly QueueState[],
  inTable: readonly QueueState[],
): readonly QueueState[] {
  const known = new Set(inRedis.map(({ name }) => name))
  const others = inTable.filter((state) => !known.has(state.name) && forRelayOf(state) > 0)
  const none = { running: 0, paused: null, isServed: null }
  return [
    ...inRedis.map((state) =>
      sum(
        state,
        inTable.find(({ name }) => name === state.name),
      ),
    ),
    ...others.map((state) =>
      sum({ ...state, due: 0, later: 0, waiting: 0, oldestDueMs: null, ...none }, state),
    ),
  ]
}

/** A row that the relay holds is due. */
function sum(state: QueueState, rows: QueueState | undefined): QueueState {
  if (!rows) return { ...state, forRelay: 0 }
  const ages = [state.oldestDueMs, rows.oldestDueMs].filter((age) => age !== null)
  return {
    ...state,
    due: most(state.due + rows.due + rows.running),
    later: most(state.later + rows.later),
    oldestDueMs: ages.length === 0 ? null : Math.max(...ages),
    forRelay: forRelayOf(rows),
  }
}

/** How many rows wait for the relay. */
export function forRelayOf({ due, later, running }: QueueState): number {
  return most(due + later + running)
}

function most(count: number): number {
  return Math.min(count, MOST_COUNTED)
}
