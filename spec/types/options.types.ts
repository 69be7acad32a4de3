// Checked by the compiler alone, by each version that apps may have: spec/package/compilers.spec.ts.
import {
  type BackendConfig,
  type CarriedByJson,
  configureTasks,
  dbTaskResultSchema,
  pruneResults,
  remoteTask,
  RetryLater,
  runUntilEmpty,
  setMiddleware,
  startWorker,
  task,
  type Task,
  type TaskBackend,
  type TaskContext,
  type TaskOptions,
  type TasksSettings,
} from 'typeorm-tasks'
import { DummyBackend } from 'typeorm-tasks/backends/dummy'
import type { EntityManager } from 'typeorm'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}
const type = <T>(): T => undefined as T

// Every option may be undefined, also where the compiler tells that from a missing one.
const n = type<number | undefined>()
const text = type<string | undefined>()
const flag = type<boolean | undefined>()
const texts = type<string[] | undefined>()
const none = undefined
const runs = { timeLimit: n, maxAge: n, rerunAfterCrash: flag, retry: none }
const where = { priority: n, queueName: text, backend: text }
const retry = { maxAttempts: 2, delay: n, factor: n, maxDelay: n, jitter: n }

export async function whatMayBeUndefined(backend: TaskBackend): Promise<void> {
  const add = task('types.options', (a: number) => a, {
    ...where,
    ...runs,
    takesContext: none,
    args: none,
    transactional: flag,
    isolate: flag,
    keepResults: n,
  })
  task('types.options.kept', () => 1, { keepResults: { successful: n, failed: n } })
  // @ts-expect-error results are kept as the task says where its code is
  remoteTask<[a: number]>('types.options.keptElsewhere', { keepResults: 1 })
  task('types.options.retry', () => 1, { retry: { ...retry, retryOn: none } })
  remoteTask<[a: number]>('types.options.remote', { ...where, ...runs, args: none })
  const runAfter = type<Date | undefined>()
  const manager = type<EntityManager | undefined>()
  add.using({ ...where, ...runs, runAfter, manager, uniqueKey: text }).using({ retry })
  await add.enqueueWith({ args: none, kwargs: none })
  const result = await add.enqueue(1)
  await result.wait({ timeout: 1, signal: type<AbortSignal | undefined>() })
  const worker = {
    backend: text,
    queues: texts,
    excludeQueues: texts,
    interval: n,
    batch: flag,
    maxTasks: n,
    workerId: text,
    concurrency: n,
    shutdownTimeout: n,
    startupDelay: n,
    schedules: flag,
    isolation: none,
  }
  await (await startWorker(worker)).stop({ force: flag })
  await runUntilEmpty({ queues: texts, concurrency: n })
  const ages = { minAge: n, failedMinAge: n }
  await pruneResults({ backend: text, queues: texts, dryRun: flag, onProgress: none, ...ages })
  const query = { status: none, queues: texts, taskName: text, before: text, everyBackend: flag }
  await backend.list({ limit: 1, within: n, ...query })
  await backend.counts({ queues: texts, excludeQueues: texts, within: n, before: text })
  await backend.openStore({ leaseSeconds: n, wakeup: none })
  setMiddleware([{ enqueue: none, run: (_, next) => next() }])
  dbTaskResultSchema({ type: none, tableName: text, managed: flag })
  configureTasks({
    default: { BACKEND: 'x#X', QUEUES: texts, OPTIONS: type<object | undefined>() },
  })
  throw new RetryLater(1, { reason: text })
}

// Keys of TASKS.
const DATABASE = 'typeorm-tasks/backends/database#DatabaseBackend'
class Http extends DummyBackend {}
export function whatTasksMayHave(settings: TasksSettings, OPTIONS: object): TasksSettings[] {
  const TASKS = configureTasks({
    default: {
      BACKEND: DATABASE,
      QUEUES: ['a', 'b'],
      OPTIONS: { leaseSeconds: 3, retention: { failed: 3 } },
    },
    memory: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' },
    own: { BACKEND: 'my-backends#Own', OPTIONS: { url: 'x', nested: { a: 1 } } },
    http: { BACKEND: Http, OPTIONS: { url: 'x' } },
  })
  const shared: BackendConfig = { BACKEND: DATABASE, OPTIONS }
  const queues = [text ?? '']
  configureTasks({
    default: { BACKEND: DATABASE, QUEUES: queues, OPTIONS },
    [queues.join()]: shared,
  })
  // @ts-expect-error a key that there is not
  configureTasks({ default: { BACKEND: DATABASE, QUEUE: [] } })
  // @ts-expect-error a key that there is not, beside a backend of the app
  configureTasks({ default: { BACKEND: Http, QUEUE: [] } })
  // @ts-expect-error an option that there is not
  configureTasks({ default: { BACKEND: DATABASE, OPTIONS: { leaseSecond: 3 } } })
  // @ts-expect-error an option that there is not, in the second entry
  configureTasks({ default: TASKS.memory, b: { BACKEND: DATABASE, OPTIONS: { leaseSecond: 3 } } })
  return [configureTasks(settings), TASKS, configureTasks(TASKS), configureTasks({})]
}

// Generic functions around `task`.
type Plain = Omit<TaskOptions, 'takesContext' | 'args'>
function define<A extends unknown[], R>(
  name: string,
  fn: ((...args: A) => Promise<R>) & CarriedByJson<A, Promise<R>>,
) {
  return task(name, fn)
}
function defineIn<A extends unknown[], R>(
  name: string,
  fn: ((...args: A) => R) & CarriedByJson<A, R>,
  options: Plain = {},
) {
  return task(name, fn, { queueName: 'mail', ...options })
}
function defineWithContext<A extends unknown[], R>(
  name: string,
  fn: ((context: TaskContext, ...args: A) => R) & CarriedByJson<A, R>,
) {
  return task(name, fn, { takesContext: true })
}
function elsewhere<A extends unknown[], R>(name: string & CarriedByJson<A, R>) {
  return remoteTask<A, R>(`app.${name}` as typeof name)
}
const defined = define('types.define', async (id: number, tone?: 'warm') => ({ id, tone }))
same<
  typeof defined,
  Task<[id: number, tone?: 'warm' | undefined], { id: number; tone: 'warm' | undefined }>
>(true)
const inMail = defineIn('types.defineIn', async (id: number) => id, { priority: 1 })
same<typeof inMail, Task<[id: number], number>>(true)
const withContext = defineWithContext(
  'types.context',
  async (context, id: number) => context.attempt + id,
)
same<typeof withContext, Task<[id: number], number>>(true)
same<ReturnType<typeof elsewhere<[id: number], string>>, Task<[id: number], string>>(true)
// @ts-expect-error Date
define('types.bad', async (when: Date) => when.getTime())
// @ts-expect-error Date as a return value
define('types.bad', async () => new Date())

// Data that looks like an error, and functions without types.
interface Contact {
  name: string
  message: string
}
task('types.contact', (contact: Contact): Contact => contact)
// oxlint-disable-next-line typescript/no-explicit-any -- as the code of apps without types has it
const untyped = type<any>()
export const enqueueUntyped = () => task('types.untyped', untyped).enqueue(1)

// Lists that are readonly all the way down.
const nested = task('types.nested', (order: { ids: number[] }, pair: [string, number]) => [
  order,
  pair,
])
const CALLS = [[{ ids: [1, 2] }, ['a', 1]]] as const
export async function whatEnqueueManyTakes<A extends unknown[], R>(
  generic: Task<A, R>,
  calls: A[],
): Promise<void> {
  await nested.enqueueMany(CALLS)
  await nested.enqueueMany([[{ ids: [1] }, ['a', 1]]])
  await nested.enqueueMany(type<readonly (readonly [{ ids: number[] }, [string, number]])[]>())
  await defined.enqueueMany([[1], [2, 'warm']] as const)
  await generic.enqueueMany(calls)
  // @ts-expect-error a text in the place of a number
  await nested.enqueueMany([[{ ids: ['1'] }, ['a', 1]]] as const)
  // @ts-expect-error no arguments
  await nested.enqueueMany([[]] as const)
}
