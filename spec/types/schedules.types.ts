// Checked by the compiler alone, by each version that apps may have: spec/package/compilers.spec.ts.
import { schedule, type Schedule, task, type TaskContext } from 'typeorm-tasks'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

const report = task('types.schedules.report', async (day: string, deep?: boolean) =>
  deep ? day.length : 0,
)
const bare = task(
  'types.schedules.bare',
  (context: TaskContext) => context.slot?.at.toISOString(),
  {
    takesContext: true,
  },
)

export async function scheduled(): Promise<void> {
  const nightly = schedule('types.nightly', report, {
    cron: '30 2 * * *',
    timeZone: 'Europe/Berlin',
    args: ({ slot }) => [slot.toISOString().slice(0, 10), true],
    missed: 'all',
    within: 1,
    using: { queueName: 'reports', retry: { maxAttempts: 3 }, uniqueKey: null },
  })
  same<typeof nightly, Schedule<number>>(true)
  const { returnValue } = await nightly.fire(new Date())
  same<typeof returnValue, number>(true)
  schedule('types.often', report, { every: 1_000, args: ['today'], overlap: 'skip', enabled: true })
  schedule('types.later', report, {
    every: 1_000,
    args: async ({ slot }) => [String(slot.getTime())],
  })
  schedule('types.bare', bare, { cron: '@daily' })
  schedule('types.empty', bare, { cron: '@daily', args: [] })
  // @ts-expect-error -- it needs arguments
  schedule('types.none', report, { every: 1_000 })
  // @ts-expect-error -- of another type
  schedule('types.other', report, { every: 1_000, args: [5] })
  // @ts-expect-error -- of another type
  schedule('types.other', report, { every: 1_000, args: ({ slot }) => [slot] })
  // @ts-expect-error -- neither cron nor every
  schedule('types.never', bare, { missed: 'once' })
  // @ts-expect-error -- both
  schedule('types.both', bare, { cron: '@daily', every: 1_000 })
  // @ts-expect-error -- every has no time zone
  schedule('types.zone', bare, { every: 1_000, timeZone: 'UTC' })
  // @ts-expect-error -- a schedule says itself when
  schedule('types.when', bare, { every: 1_000, using: { runAfter: new Date() } })
}
