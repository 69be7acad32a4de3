import { didYouMean, NotSupportedError } from '../../../index'
import { Refused } from '../../security/access'
import { json } from '../answer'
import { parametersIn } from '../query'
import { shownSchedules } from '../reads/schedules'
import type { Fired } from '../wire'
import { type ChangeRoute, recordIn } from './change'

/** `POST schedules/:name/run`: one run more, due at once. */
export function scheduleChange(name: string, change: string): ChangeRoute | undefined {
  if (change !== 'run') return undefined
  return {
    needs: 'run',
    answer: async (changing, body) => {
      parametersIn(changing.search, {})
      recordIn(body, [], 'Send {}.')
      const all = shownSchedules(changing)
      const schedule = all.find((each) => each.name === name)
      if (!schedule)
        throw new Refused({
          status: 404,
          message: `This process has no such schedule. ${
            didYouMean(
              name,
              all.map((each) => each.name),
            ) ?? ''
          }`.trim(),
        })
      const { id, isDuplicate } = await schedule.fire()
      if (isDuplicate)
        throw new NotSupportedError(
          `Task ${id} has its key already.`,
          'Wait until it has finished.',
        )
      const { user, audit } = changing
      await audit({
        user,
        action: 'run',
        backend: schedule.task.backend,
        schedule: name,
        ids: [id],
        changed: 1,
      })
      return json(200, { id } satisfies Fired)
    },
  }
}
