// Checked by the compiler alone: what must not compile says so, and would be an unused @ts-expect-error if it did.
import {
  task,
  remoteTask,
  type Task,
  type TaskContext,
  type TaskResult,
  taskOf,
} from 'typeorm-tasks'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}
const type = <T>(): T => undefined as T

interface Address {
  street: string
  lines?: string[]
  geo: { lat: number; lon: number } | null
}
type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
interface Tree {
  name: string
  children: Tree[]
}
class Money {
  amount = 1
  add(other: Money): Money {
    return other
  }
}
enum Tone {
  Warm = 'warm',
  Plain = 'plain',
}

// The example everybody reads first.
const sendWelcome = task(
  'types.sendWelcome',
  async (userId: number, tone: 'warm' | 'plain' = 'warm') => ({ sentTo: userId, tone }),
  { queueName: 'mail', priority: 10 },
)
same<
  typeof sendWelcome,
  Task<
    [userId: number, tone?: 'warm' | 'plain' | undefined],
    { sentTo: number; tone: 'warm' | 'plain' }
  >
>(true)

export async function whatEnqueueTakes(): Promise<void> {
  const result = await sendWelcome.enqueue(42, 'plain')
  same<typeof result, TaskResult<{ sentTo: number; tone: 'warm' | 'plain' }>>(true)
  same<typeof result.returnValue, { sentTo: number; tone: 'warm' | 'plain' }>(true)
  await sendWelcome.enqueue(42)
  await sendWelcome.using({ runAfter: new Date(), priority: 1 }).enqueue(42)
  await sendWelcome.enqueueMany([[1], [2, 'warm']])
  same<Awaited<ReturnType<typeof sendWelcome.call>>, { sentTo: number; tone: 'warm' | 'plain' }>(
    true,
  )
  same<Awaited<ReturnType<typeof sendWelcome.getResult>>, typeof result>(true)
  same<Awaited<ReturnType<typeof result.wait>>, typeof result>(true)

  // @ts-expect-error an argument of the wrong type
  await sendWelcome.enqueue('42')
  // @ts-expect-error a value that is none of the union
  await sendWelcome.enqueue(42, 'cold')
  // @ts-expect-error no argument
  await sendWelcome.enqueue()
  // @ts-expect-error one argument too many
  await sendWelcome.enqueue(42, 'warm', 1)
  // @ts-expect-error a list of arguments of the wrong type
  await sendWelcome.enqueueMany([['1']])
  // @ts-expect-error arguments that are no lists
  await sendWelcome.enqueueMany([1, 2])
  // @ts-expect-error an option that there is not
  sendWelcome.using({ queue: 'mail' })
  // @ts-expect-error a text as a moment
  sendWelcome.using({ runAfter: '2026-01-01' })
  // @ts-expect-error a number as a queue
  sendWelcome.using({ queueName: 1 })
  // @ts-expect-error a return value has only what the task returns
  result.returnValue.sentFrom.toString()
  // @ts-expect-error results do not change by hand
  result.status = 'FAILED'
}

export async function whatIsStoredForUndefined(): Promise<void> {
  const maybe = await task(
    'types.stored.maybe',
    async (): Promise<string | undefined> => 'a',
  ).enqueue()
  same<typeof maybe.returnValue, string | null>(true)
  same<Awaited<ReturnType<typeof maybe.wait>>['returnValue'], string | null>(true)
  const nothing = await task('types.stored.nothing', async () => {}).enqueue()
  same<typeof nothing.returnValue, null>(true)
  const parts = await task('types.stored.parts', (): { a?: number } | undefined => ({})).enqueue()
  same<typeof parts.returnValue, { a?: number } | null>(true)
  const some = await remoteTask<[], boolean | 1 | null>('types.stored.some').enqueue()
  same<typeof some.returnValue, boolean | 1 | null>(true)
  const any = await remoteTask('types.stored.any').enqueue()
  same<typeof any.returnValue, unknown>(true)
  const whichever: TaskResult<unknown>[] = [maybe, nothing, parts, some]
  await whichever[0]?.refresh()
}

// What JSON carries.
same<typeof nothing, Task<[], void>>(true)
const nothing = task('types.nothing', () => {})
task('types.asyncNothing', async () => {})
task('types.undefined', () => undefined)
task('types.maybe', (): number | undefined => 1)
task('types.null', async () => null)
task('types.interface', (to: Address) => to.street)
task('types.optional', (a: string, b?: number, c: boolean = true) => [a, b ?? 0, c] as const)
task('types.tuple', (pair: [string, number], rest: readonly [1, ...string[]]) => [pair, rest])
task(
  'types.union',
  (value: { kind: 'a'; n: number } | { kind: 'b'; s: string } | null) => value?.kind ?? null,
)
task('types.json', (value: Json): Json => [value])
// oxlint-disable-next-line typescript/no-explicit-any -- as the code of apps without types has it
const untypedList = (list: any[], others: unknown[]): any[] => [list, others]
task('types.any', untypedList)
task(
  'types.undefined.parts',
  (pair: [string, number?], by: { [key: string]: number | undefined }[]) => [pair, by],
)
task('types.undefined.rest', (a: string, b?: number, ...more: string[]) => [a, b ?? 0, ...more])
task('types.tree', (tree: Tree): Tree => tree)
task('types.record', (value: Record<string, number[]>, part: Partial<Address>) => ({
  ...value,
  part: part.street ?? '',
}))
task('types.literals', (tone: Tone, level: 1 | 2, flag: true) => ({ tone, level, flag }))
task('types.unknown', (value: unknown) => value)
task(
  'types.readonly',
  (list: readonly string[], frozen: Readonly<Address>) => [list.length, frozen.street] as const,
)
task('types.rest', (first: string, ...others: number[]) => others.length + first.length)
same<typeof rest, Task<[first: string, ...others: number[]], number>>(true)
const rest = task(
  'types.rest2',
  (first: string, ...others: number[]) => others.length + first.length,
)
function declared(to: Address, times: number = 1): Promise<string> {
  return Promise.resolve(to.street.repeat(times))
}
same<typeof named, Task<[to: Address, times?: number | undefined], string>>(true)
const named = task('types.declared', declared)

// What JSON does not carry, as an argument …
// @ts-expect-error Date
task('types.bad', (when: Date) => when.getTime())
// @ts-expect-error Date within
task('types.bad', (at: { when: Date; note: string }) => at.note)
// @ts-expect-error Date in a list that may be left out
task('types.bad', (at?: Date[]) => at?.length ?? 0)
// @ts-expect-error Date as one of several
task('types.bad', (at: string | Date) => String(at))
// @ts-expect-error Date within a recursive type
task('types.bad', (node: DatedTree) => node.children.length)
// @ts-expect-error Date in a recursive type without a name
task('types.bad', (value: DatedJson) => value === null)
// @ts-expect-error Date behind an index
task('types.bad', (value: Record<string, Date>) => value['a']?.getTime() ?? 0)
// @ts-expect-error Map
task('types.bad', (map: Map<string, number>) => map.size)
// @ts-expect-error Set
task('types.bad', (set: Set<string>) => set.size)
// @ts-expect-error bigint
task('types.bad', (big: bigint) => Number(big))
// @ts-expect-error symbol
task('types.bad', (key: symbol) => key.description ?? '')
// @ts-expect-error function
task('types.bad', (run: () => void) => run())
// @ts-expect-error an object with a function
task('types.bad', (job: { run(): void }) => job.run())
// @ts-expect-error an instance of a class with methods
task('types.bad', (money: Money) => money.amount)
// @ts-expect-error Buffer
task('types.bad', (bytes: Buffer) => bytes.length)
// @ts-expect-error a promise
task('types.bad', (later: Promise<number>) => later.then(() => 1))
// @ts-expect-error an error
task('types.bad', (error: Error) => error.message)
// @ts-expect-error bigint among the others
task('types.bad', (id: number, ...more: bigint[]) => more.length + id)

// … and as a return value.
// @ts-expect-error Date
task('types.bad', () => new Date())
// @ts-expect-error Date from a promise
task('types.bad', async () => ({ at: new Date() }))
// @ts-expect-error Map
task('types.bad', () => new Map<string, number>())
// @ts-expect-error bigint
task('types.bad', (a: number) => BigInt(a))
// @ts-expect-error function
task('types.bad', () => () => 1)
// @ts-expect-error an instance of a class with methods
task('types.bad', () => new Money())
// @ts-expect-error Set as one of several
task('types.bad', (a: boolean) => (a ? new Set([1]) : null))

type DatedJson = null | Date | { [key: string]: DatedJson }

interface DatedTree {
  when: Date
  children: DatedTree[]
}

// The context is the function's, not the caller's.
const contextual = task(
  'types.context',
  async (context, to: string) => `${context.attempt} ${to}`,
  { takesContext: true },
)
same<typeof contextual, Task<[to: string], string>>(true)
task('types.context.alone', (context) => context.reportProgress(1, 2), { takesContext: true })
task('types.context.typed', (context: TaskContext, n: number) => (context.signal.aborted ? 0 : n), {
  takesContext: true,
})
// @ts-expect-error a context that was not asked for is no argument
task('types.bad', (context: TaskContext) => context.attempt)
// @ts-expect-error Date behind the context
task('types.bad', (_: TaskContext, when: Date) => when.getTime(), { takesContext: true })
// @ts-expect-error an option that there is not
task('types.bad', () => 1, { prioritty: 1 })
// @ts-expect-error a text as a priority
task('types.bad', () => 1, { priority: '1' })

export async function whatAContextualTaskTakes(): Promise<void> {
  await contextual.enqueue('you')
  // @ts-expect-error the context is not given by the caller
  await contextual.enqueue(type<TaskContext>(), 'you')
}

// Tasks that live elsewhere.
const thumbnail = remoteTask<[id: number, size?: 'small' | 'large'], string>(
  'django_app.tasks.thumbnail',
)
same<typeof thumbnail, Task<[id: number, size?: 'small' | 'large'], string>>(true)
// @ts-expect-error Date
remoteTask<[when: Date]>('django_app.tasks.bad')
// @ts-expect-error bigint
remoteTask<[], bigint>('django_app.tasks.bad')

export async function whatARemoteTaskTakes(): Promise<void> {
  await thumbnail.enqueue(1, 'small')
  // @ts-expect-error an argument of the wrong type
  await thumbnail.enqueue('1')
}

// Static methods.
export class Reports {
  @task('types.reports.build')
  static async build(month: string, copies: number = 1): Promise<number> {
    return month.length * copies
  }

  @task('types.reports.watch', { takesContext: true })
  static watch(context: TaskContext, name: string): string {
    return `${name} ${context.attempt}`
  }

  // @ts-expect-error Date
  @task('types.reports.bad')
  static bad(when: Date): number {
    return when.getTime()
  }

  // @ts-expect-error Map as a return value
  @task('types.reports.worse')
  static worse(): Map<string, string> {
    return new Map()
  }
}
const build = taskOf(Reports.build)
same<typeof build, Task<[month: string, copies?: number | undefined], number>>(true)
const watch = taskOf(Reports.watch)
same<typeof watch, Task<[name: string], string>>(true)
