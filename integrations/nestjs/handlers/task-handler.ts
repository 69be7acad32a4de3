import {
  type CarriedByJson,
  InvalidTaskError,
  remoteTask,
  type ScheduleOptions,
  shown,
  type Task,
  type TaskContext,
  type TaskOptions,
} from '../../../index'
import type { NotTheOptions } from '../../../lib/arguments/refusal'

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
  /** Made when the class is evaluated; once an app provides the class, the task that runs there. */
  task: Task<unknown[], unknown>
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
  return (target: unknown, key: unknown, descriptor?: { readonly value?: unknown }) => {
    const { owner, method } = assertMethod(name, target, key, descriptor)
    const task = remoteTask<unknown[]>(name, own)
    const all = schedule ? { [name]: schedule, ...schedules } : schedules
    ownHandlers(owner).push({ name, owner, method, options: own, schedules: all, task })
  }
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
