/** Definitions that must not compile, and what the compiler's message must say: the path and what stands there. */
export const refusedTasks: readonly (readonly [definition: string, message: string])[] = [
  ["task('t', (when: Date) => 1)", 'args[0] is a Date'],
  ["task('t', (id: number, when?: Date) => 1)", 'args[1] is a Date'],
  ["task('t', (when: Date | null) => 1)", 'args[0] is a Date'],
  ["task('t', (at: { when: Date; note: string }) => 1)", 'args[0].when is a Date'],
  ["task('t', (o: { kids: Kid[] }) => 1)", 'args[0].kids[].at is a Date'],
  ["task('t', (o: { a: { b: { c: { d: Date } } } }) => 1)", 'args[0].a.b.c.d is a Date'],
  ["task('t', (list?: Date[]) => 1)", 'args[0][] is a Date'],
  ["task('t', (pair: [string, Date]) => 1)", 'args[0][1] is a Date'],
  ["task('t', (pair: readonly [string, ...Date[]]) => 1)", 'args[0][] is a Date'],
  ["task('t', (by: Record<string, Date>) => 1)", 'args[0][string] is a Date'],
  ["task('t', (kind: { t: 'a'; n: 1 } | { t: 'b'; at: Date }) => 1)", 'args[0].at is a Date'],
  ["task('t', (tree: DatedTree) => 1)", 'args[0].when is a Date'],
  ["task('t', (json: DatedJson) => 1)", 'args[0] is a Date'],
  ["task('t', (big: bigint) => 1)", 'args[0] is a bigint'],
  ["task('t', (id: number, ...more: bigint[]) => 1)", 'args[] is a bigint'],
  ["task('t', (key: symbol) => 1)", 'args[0] is a symbol'],
  ["task('t', (map: Map<string, number>) => 1)", 'args[0] is a Map'],
  ["task('t', (set: { of: ReadonlySet<string> }) => 1)", 'args[0].of is a Set'],
  ["task('t', (seen: WeakSet<object>) => 1)", 'args[0] is a WeakSet'],
  ["task('t', (kept: WeakMap<object, number>) => 1)", 'args[0] is a WeakMap'],
  ["task('t', (run: () => void) => 1)", 'args[0] is a function'],
  ["task('t', (job: { run(): void }) => 1)", 'args[0].run is a function'],
  ["task('t', (money: Money) => 1)", 'args[0].add is a function'],
  ["task('t', (bytes: Buffer) => 1)", 'args[0] is binary data'],
  ["task('t', (bytes: { raw: Uint8Array }) => 1)", 'args[0].raw is binary data'],
  ["task('t', (later: Promise<number>) => 1)", 'args[0] is a Promise'],
  ["task('t', (error: Error) => 1)", 'args[0] is an Error'],
  ["task('t', (mark: RegExp) => 1)", 'args[0] is a RegExp'],
  ["task('t', () => new Date())", 'return value is a Date'],
  ["task('t', async () => ({ at: new Date() }))", 'return value.at is a Date'],
  ["task('t', async () => [{ at: new Date() }])", 'return value[].at is a Date'],
  ["task('t', () => new Map<string, number>())", 'return value is a Map'],
  ["task('t', (a: number) => BigInt(a))", 'return value is a bigint'],
  ["task('t', () => () => 1)", 'return value is a function'],
  ["task('t', () => new Money())", 'return value.add is a function'],
  ["task('t', (a: boolean) => (a ? new Set([1]) : null))", 'return value is a Set'],
  [
    "task('t', (c: TaskContext, when: Date) => 1, { takesContext: true, priority: 1 })",
    'args[0] is a Date',
  ],
  ["task('t', (c, n: number, by: Map<1, 2>) => 1, { takesContext: true })", 'args[1] is a Map'],
  ["task('t', (c: TaskContext) => 1)", 'add takesContext: true'],
  ["task('t', (n: number) => 1, { takesContext: true })", 'its first parameter is no TaskContext'],
  ["task('t', (dto: Dto, when: Date) => 1, { args: [Dto] })", 'args[1] is a Date'],
  ["task('t', (n: number) => 1, { prioritty: 1 })", "'prioritty' does not exist"],
  ["task('t', (list: (number | undefined)[]) => 1)", 'args[0][] is undefined'],
  ["task('t', (at: { of?: readonly (string | undefined)[] }) => 1)", 'args[0].of[] is undefined'],
  ["task('t', async (): Promise<(number | undefined)[]> => [])", 'return value[] is undefined'],
  ["task('t', (a: number[]) => Promise.all(a.map(async () => {})))", 'return value[] is undefined'],
  [
    "configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { leaseSecond: 3 } } })",
    'TASKS.default.OPTIONS.leaseSecond',
  ],
  ["configureTasks({ other: { BACKEND: 'x#X', QUEUE: [] } })", 'TASKS.other.QUEUE'],
  ["remoteTask<[when: Date]>('t')", 'args[0] is a Date'],
  ["remoteTask<[], { sum: bigint }>('t')", 'return value.sum is a bigint'],
  ["define('t', async (when: Date) => 1)", 'args[0] is a Date'],
  ["class A { @task('t') static run(when: Date): void {} }", 'args[0] is a Date'],
  ["class A { @task('t') static run(): Map<1, 2> { return new Map() } }", 'return value is a Map'],
  [
    "class A { @task('t', { takesContext: true }) static run(c: TaskContext, at: { when: Date }): void {} }",
    'args[0].when is a Date',
  ],
]

/** What those definitions stand on. */
export const REFUSED_HEAD = `import { type CarriedByJson, configureTasks, remoteTask, task, type TaskContext } from 'typeorm-tasks'
interface Kid { name: string; at: Date }
interface DatedTree { when: Date; children: DatedTree[] }
type DatedJson = null | Date | { [key: string]: DatedJson }
class Money { amount = 1; add(other: Money): Money { return other } }
class Dto { to = ''; shown(): string { return this.to } }
function define<A extends unknown[], R>(name: string, fn: ((...args: A) => Promise<R>) & CarriedByJson<A, Promise<R>>) {
  return task(name, fn)
}
`
