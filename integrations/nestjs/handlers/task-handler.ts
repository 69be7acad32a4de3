import {
  type CarriedByJson,
  InvalidTaskError,
  NotSupportedError,
  type ScheduleOptions,
  shown,
  Task,
  type TaskContext,
  type TaskOptions,
} from '../../../index'
import { type Place, placeOfCall } from '../../../lib/copies/call-site'
import type { NotTheOptions } from '../../../lib/arguments/refusal'
import { taskValues, type TaskValues } from '../../../lib/tasks/task-options'

export type Method = (...given: never[]) => unknown

/** A class, also one whose constructor takes arguments. */
export type Class<Instance = unknown> = abstract new (...given: never[]) => Instance

/** What a task is called with: what its method takes, without the context. */
export type ArgumentsOf<Fn extends Method> =
  Parameters<Fn> extends [TaskContext, ...infer Args] ? Args : Parameters<Fn>

/** When a handler is to be run again and again: as the options of `schedule`. */
export type HandlerSchedule = ScheduleOptions<unknown[]>

/** The options of a task, and its schedules. */
export interface TaskHandlerOptions extends TaskOptions {
  /** Has the workers run it again and again, as a schedule of the task's name. */
  schedule?: HandlerSchedule | undefined
  /** Several schedules, each by its name. */
  schedules?: Readonly<Record<string, HandlerSchedule>> | undefined
}

/** What JSON cannot carry does not compile, except where classes of arguments are listed; nor does a context that is not asked for. */
type Carried<Fn extends Method, Options> =
  Takes<Options> extends HasContext<Fn>
    ? Options extends { args: readonly [unknown, ...unknown[]] }
      ? unknown
      : CarriedByJson<ArgumentsOf<Fn>, ReturnType<Fn>>
    : NotTheOptions<'takesContext: true belongs to a first parameter of the type TaskContext'>

type Takes<Options> = Options extends { takesContext: true } ? true : false
type HasContext<Fn extends Method> =
  Parameters<Fn> extends [TaskContext, ...unknown[]] ? true : false

/** Marks a method of a provider. A private or protected one does not compile. */
export type TaskHandlerDecorator<Options> = <
  Target extends object,
  Key extends keyof Target & string,
  Fn extends Method,
>(
  target: Target,
  key: Key,
  descriptor: TypedPropertyDescriptor<Fn & Carried<Fn, Options>>,
) => void

/** One decorated method. */
export interface Handler {
  readonly name: string
  readonly owner: Class
  readonly method: string
  readonly options: TaskOptions
  readonly schedules: Readonly<Record<string, HandlerSchedule>>
  readonly task: Task<unknown[], unknown>
  /** Where the decorator stands. */
  readonly place: Place
  /** Runs the method in the app that provides the class; undefined while none does. */
  run?: ((context: TaskContext, args: readonly unknown[]) => Promise<unknown>) | undefined
}

/** The same in every copy of the library. */
const HANDLERS = Symbol.for('typeorm-tasks.nestjs.handlers')

/**
 * Makes a method of a provider a task. `Tasks.of(Class)` gives its handle.
 *
 * ```ts
 * @TaskHandler('mail.welcome', { queueName: 'mail' })
 * async welcome(userId: number) { … }
 * ```
 *
 * @param name outlives renamings of class and method, since it is written into each row
 * @throws InvalidTaskError for a bad name or option, and for what is no method of instances.
 */
export function TaskHandler<const Options extends TaskHandlerOptions = TaskHandlerOptions>(
  name: string,
  options?: Options,
): TaskHandlerDecorator<Options> {
  const { schedule, schedules = {}, ...own }: TaskHandlerOptions = options ?? {}
  const place = placeOfCall(TaskHandler)
  return (target: unknown, key: unknown, descriptor?: { readonly value?: unknown }) => {
    const found = assertMethod(name, target, key, descriptor)
    const values = taskValues(name, own)
    const all = schedule ? { [name]: schedule, ...schedules } : schedules
    const handler = { name, ...found, options: own, schedules: all, place }
    ownHandlers(found.owner).push(withTask(handler, { ...values, takesContext: true }))
  }
}

/** Its task is made when it is first asked for: a task is checked against the TASKS that there are by then. */
function withTask(marked: Omit<Handler, 'task'>, values: TaskValues): Handler {
  let made: Task<unknown[], unknown> | undefined
  const run = (context: TaskContext, ...args: unknown[]): Promise<unknown> =>
    (handler.run ?? refused(handler))(context, args)
  const handler: Handler = {
    ...marked,
    get task() {
      return (made ??= new Task<unknown[], unknown>(values, run))
    },
  }
  return handler
}

function refused(handler: Handler): never {
  throw new NotSupportedError(
    `Task "${handler.name}" cannot run here: no running app in this process provides ${handler.owner.name}, whose method ${handler.method} it is.`,
    'List the class among the providers of a module, load that module first if LazyModuleLoader does it, or serve its queue elsewhere.',
  )
}

/** The decorated methods of a class, also those that it inherits. */
export function handlersOf(of: unknown): Handler[] {
  if (typeof of !== 'function') return []
  const parent: unknown = Object.getPrototypeOf(of)
  const inherited = handlersOf(parent)
  const own = Object.hasOwn(of, HANDLERS) ? ownHandlers(of as unknown as Class) : []
  return [...inherited.filter(({ method }) => own.every((each) => each.method !== method)), ...own]
}

/** `Mail.welcome`. */
export function placeOf({ owner, method }: Pick<Handler, 'owner' | 'method'>): string {
  return `${owner.name}.${method}`
}

function ownHandlers(owner: Class): Handler[] {
  if (!Object.hasOwn(owner, HANDLERS)) Object.defineProperty(owner, HANDLERS, { value: [] })
  return Reflect.get(owner, HANDLERS) as Handler[]
}

function assertMethod(
  name: string,
  target: unknown,
  key: unknown,
  descriptor: { readonly value?: unknown } | undefined,
): { owner: Class; method: string } {
  if (typeof key === 'object' && key !== null)
    throw new InvalidTaskError(
      `@TaskHandler(${shown(name)}) is used as a decorator of the newer kind, which Nest does not have.`,
      'Compile with "experimentalDecorators": true, as Nest asks for.',
    )
  if (typeof target === 'function')
    throw new InvalidTaskError(
      `@TaskHandler(${shown(name)}) marks ${target.name}.${String(key)}, which is static: a provider is an instance.`,
      'Remove `static`, or define the task with @task or task() of "typeorm-tasks".',
    )
  const owner = (target as object).constructor as unknown as Class
  if (typeof key !== 'string' || typeof descriptor?.value !== 'function')
    throw new InvalidTaskError(
      `@TaskHandler(${shown(name)}) marks ${owner.name}.${String(key)}, which is no method with a name.`,
      'Put it on a public method of a provider.',
    )
  return { owner, method: key }
}
