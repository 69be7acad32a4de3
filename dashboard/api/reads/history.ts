import { type Asked, browserOf, chosen, type Reading } from '../asked'
import { name, parametersIn, wholeNumber } from '../query'
import { iso } from '../views'
import type { HistoryView } from '../wire'

const HOUR_MS = 3_600_000
const HISTORY = {
  backend: name(32),
  hours: wholeNumber(1, 24 * 366),
  steps: wholeNumber(1, 200),
  queue: name(32),
  task: name(1_000),
}

/** What became of the tasks of the last hours: by default of one, minute by minute. */
export function historyRoute(asked: Asked): Reading {
  const given = parametersIn(asked.search, HISTORY)
  const { hours = 1, steps = 60, queue, task: taskName } = given
  const backend = chosen(asked, given.backend)
  return async (): Promise<HistoryView> => {
    const browser = await browserOf(asked, backend)
    const { from, to } = timesOf(await browser.now(), hours, steps)
    const found = await browser.history({ from, to, steps, queue, taskName })
    return { steps: found.map((step) => ({ ...step, from: iso(step.from) })) }
  }
}

/** Steps begin at multiples of their length: looked at a moment later, they are the same. */
function timesOf(now: Date, hours: number, steps: number): { from: Date; to: Date } {
  const length = Math.max(1, Math.round((hours * HOUR_MS) / steps))
  const to = (Math.floor(now.getTime() / length) + 1) * length
  return { from: new Date(to - steps * length), to: new Date(to) }
}
