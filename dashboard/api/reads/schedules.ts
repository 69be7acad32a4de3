import { schedules } from '../../../lib/schedules/registry'
import type { AnySchedule } from '../../../lib/schedules/schedule'
import type * as cronWords from '../../bundled/cron-words'
import { type Asked, browserOf, chosen, type Reading } from '../asked'
import { parametersIn } from '../query'
import { iso } from '../views'
import type { SchedulesView, ScheduleView } from '../wire'
import { ifSupported } from './tasks'

const SHOWN_SLOTS = 5

/** The schedules of this process whose backend the page shows. */
export function schedulesRoute(asked: Asked): Reading {
  parametersIn(asked.search, {})
  return async (): Promise<SchedulesView> => {
    const views: ScheduleView[] = []
    for (const schedule of shownSchedules(asked)) views.push(await viewOf(asked, schedule))
    return { schedules: views }
  }
}

export function shownSchedules({ page }: Pick<Asked, 'page'>): AnySchedule[] {
  const backends = page.backends()
  return schedules.all().filter(({ task }) => backends.has(task.backend))
}

async function viewOf(asked: Asked, schedule: AnySchedule): Promise<ScheduleView> {
  const { id, name, task, when, timeZone, enabled } = schedule
  const browser = await browserOf(asked, chosen(asked, task.backend))
  const last = await ifSupported(browser.newestSlot(id))
  return {
    name,
    task: task.name,
    backend: task.backend,
    when,
    words: wordsOf(when),
    timeZone,
    enabled,
    next: schedule.next(SHOWN_SLOTS).map((slot) => iso(slot)),
    last: last && { at: iso(last.at), status: last.status },
  }
}

/** Known ones are kept: schedules are looked at each second. */
const known = new Map<string, string>()

function wordsOf(when: string): string {
  if (when.startsWith('every ')) return when
  const { wordsOfCron } = require('../../bundled/cron-words') as typeof cronWords
  const words = known.get(when) ?? wordsOfCron(when)
  known.set(when, words)
  return words
}
