// All of it in one process: a worker, and what a web server would enqueue.
import { DBTaskResult, group, startWorker } from 'typeorm-tasks'
import { dataSource } from './ormconfig.js'
import {
  alert,
  beats,
  cleanUp,
  fetchPage,
  index,
  notify,
  publish,
  reindex,
  sync,
  welcome,
} from './tasks.js'

const timeout = 60_000

await dataSource.initialize()
const rows = dataSource.getRepository(DBTaskResult)
await rows.clear()
// Schedules are fired from the fourth step on.
const worker = await startWorker({ interval: 0.1, schedules: false })

console.log('1. A group, and what comes after it')
const flow = group(['/', '/about', '/contact'].map((path) => fetchPage.order(path)))
  .next((pages) => index.order(pages, 'en'))
  .next((words) => notify.order(words))
const whole = await flow.enqueue()
await whole.wait({ timeout })
const { done, total } = whole.progress
console.log(`  ${done} of ${total} tasks have finished`)

console.log('2. A chain that fails, and who is told')
const failing = await fetchPage
  .order('/missing')
  .next((page) => publish.order(page))
  .onFailure((failure) => alert.order(failure))
  .onFinished((outcomes) => cleanUp.order(outcomes))
  .enqueue()
await failing.wait({ timeout })
// The last step has finished, and callbacks run after that.
await until(async () => (await rows.countBy([{ status: 'READY' }, { status: 'RUNNING' }])) === 0)
for (const { taskName, status, errors } of await failing.results())
  console.log(`  ${taskName}: ${status}, ${errors.at(-1)?.exceptionClassPath}`)

console.log('3. Once it is quiet, not too often, once at a time')
let edited
for (let edit = 1; edit <= 5; edit++) edited = await reindex.enqueue(7, edit)
await edited.wait({ timeout })
await (await sync.enqueue('acme')).wait({ timeout })
console.log(`  synchronised again: ${!(await sync.enqueue('acme')).isDuplicate}`)
const later = welcome.using({ runAfter: new Date(Date.now() + 1_000) })
const mail = await later.enqueue(42)
console.log(`  a second mail: ${!(await later.enqueue(42)).isDuplicate}`)
await mail.wait({ timeout })
await worker.stop()

console.log('4. Again and again')
console.log(
  `  due next: ${beats.next(2).length} slots, ${(beats.next(2)[1] - beats.next(2)[0]) / 1_000} s apart`,
)
const firing = await startWorker({ interval: 0.1 })
await until(async () => (await rows.countBy({ taskPath: 'site.beat', status: 'SUCCESSFUL' })) >= 2)
await firing.stop()
await dataSource.destroy()

async function until(isSo) {
  for (const end = Date.now() + timeout; !(await isSo());)
    if (Date.now() > end) throw new Error('It took too long.')
    else await new Promise((resolve) => setTimeout(resolve, 100))
}
