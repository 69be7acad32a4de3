// Checked by the compiler alone, by each version that apps may have: spec/package/compilers.spec.ts.
import { type Flow, group, task, type TaskResult } from 'typeorm-tasks'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

interface Page {
  readonly url: string
}
const fetchPage = task('types.flows.fetch', async (url: string) => ({ url }))
const index = task(
  'types.flows.index',
  (pages: Page[], language: string) => pages.length + language.length,
)
const count = task('types.flows.count', (pages: readonly [Page, number]) => pages[1])
const notify = task('types.flows.notify', async (found: number): Promise<void> => {
  found.toFixed()
})
const alert = task(
  'types.flows.alert',
  (failure: { id: string; error: { traceback: string } }) => failure.id,
)
const cleanUp = task('types.flows.clean', (all: readonly { status: string }[]) => all.length)

export async function flows(urls: string[]): Promise<void> {
  const pages = group(urls.map((url) => fetchPage.order(url)))
  same<typeof pages, Flow<{ url: string }[]>>(true)
  const whole = pages
    .next((found) => index.order(found, 'en'))
    .next((found) => notify.order(found))
    .onFailure((failure) => alert.order(failure))
    .onFinished((all) => cleanUp.order(all))
  const handle = await whole.enqueue()
  same<typeof handle.last, TaskResult<void>>(true)
  const { done, total } = handle.progress
  same<[number, number], [typeof done, typeof total]>(true)
  await (await handle.wait({ timeout: 1_000 })).results()

  const pair = group([fetchPage.order('a'), index.order([], 'en')])
  same<typeof pair, Flow<[{ url: string }, number]>>(true)
  await pair.next((found) => count.order(found)).enqueue()
  // @ts-expect-error -- a value of another type
  pair.next((found) => notify.order(found))
  // @ts-expect-error -- a promise in the place of an order
  pair.next((found) => count.enqueue(found))
}
