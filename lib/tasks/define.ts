import type {
  ArgumentClass,
  ArgumentClasses,
  Given,
  NotTheClasses,
} from '../arguments/argument-classes'
import type { TaskContext } from './context'
import { InvalidTaskError } from '../errors/errors'
import { type Rule, check, isRecord, taskSubject } from '../errors/option-checks'
import type { Jsonable } from '../arguments/json'
import type { NotCarriedByJson, NotTheOptions, Refusal } from '../arguments/refusal'
import { placeOfCall, type Place } from '../copies/call-site'
import { onePerProcess } from '../copies/one-per-process'
import { tasks } from '../registry'
import { Task, type TaskFunction } from './task'
import { type TaskOptions, taskValues } from './task-options'

/** Is what it is, and nothing is inferred from it: a key function may take fewer arguments than the task. */
type Fixed<T> = [T][T extends unknown ? 0 : never]

type WithContext<Args extends unknown[]> = TaskOptions<Args> & { takesContext: true }

type WithoutContext<Args extends unknown[]> = TaskOptions<Args> & {
  takesContext?: false | undefined
}

/** With the empty list, so that TypeScript 5.2 takes what is listed for a tuple. */
type Classes = readonly ArgumentClass[] | readonly []

type Listing<Listed> = { args?: Listed | undefined }

/**
 * What `task` asks of a function with these arguments and this return value: nothing more, or a type that no function has, with
 * the reason in words. For a generic function around `task`, which asks the same of its own callers:
 *
 * ```ts
 * function define<A extends unknown[], R>(name: string, fn: ((...args: A) => Promise<R>) & CarriedByJson<A, Promise<R>>) {
 *   return task(name, fn)
 * }
 * ```
 */
export type CarriedByJson<Args extends unknown[], Return> = Carried<Args, Awaited<Return>>

type Carried<Args extends unknown[], Return> = [Args] extends [Jsonable<Args>]
  ? [Return] extends [Jsonable<Return>]
    ? unknown
    : NotCarriedByJson<Refusal<Return, 'return value'>>
  : NotCarriedByJson<Refusal<Args, 'args'>>

/** The listed classes are those of the parameters, and JSON carries the rest. A list that is typed as no more than a list is left to run time. */
type Fit<Args extends unknown[], Return, Listed extends Classes> = [readonly []] extends [Listed]
  ? CarriedByJson<Args, Return>
  : number extends Listed['length']
    ? CarriedByJson<Args, Return>
    : [Listed] extends [ArgumentClasses<Args>]
      ? CarriedByJson<Given<Args, Listed>, Return>
      : NotTheClasses<Listed>

type ArgsOf<Fn extends TaskFunction> =
  Parameters<Fn> extends [TaskContext, ...infer Args] ? Args : Parameters<Fn>

/** What the last overload of `task` asks of the function: the rules of all others, so that it can say which one is broken. */
type Asked<Fn extends TaskFunction, Takes, Listed extends Classes> = [Takes] extends [true]
  ? Parameters<Fn> extends [TaskContext, ...unknown[]]
    ? Fit<ArgsOf<Fn>, ReturnType<Fn>, Listed>
    : NotTheOptions<'takesContext is true, and its first parameter is no TaskContext'>
  : [Takes] extends [false | undefined]
    ? Parameters<Fn> extends [TaskContext, ...unknown[]]
      ? NotTheOptions<'its first parameter is a TaskContext: add takesContext: true'>
      : Fit<Parameters<Fn>, ReturnType<Fn>, Listed>
    : NotTheOptions<'write takesContext: true, or leave it out'>

type Defined<Fn extends TaskFunction, Listed> =
  ArgsOf<Fn> extends infer Args extends unknown[]
    ? Task<Given<Args, Listed>, Awaited<ReturnType<Fn>>>
    : never

/** What the decorator asks of a method, which older decorators get by its descriptor. */
type AskedOfMethod<Target, Descriptor, Listed extends Classes> =
  Descriptor extends TypedPropertyDescriptor<infer Fn extends TaskFunction>
    ? Fit<ArgsOf<Fn>, ReturnType<Fn>, Listed>
    : Target extends TaskFunction
      ? Fit<ArgsOf<Target>, ReturnType<Target>, Listed>
      : NotTheOptions<'only a static method can be marked as a task'>

/** Marks a static method as a task; `taskOf` gives its handle. For both kinds of TypeScript decorators. */
export interface TaskDecorator<Listed extends Classes = readonly []> {
  <Fn extends TaskFunction>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Fn & Fit<ArgsOf<Fn>, ReturnType<Fn>, Listed>>,
  ): void
  <Fn extends TaskFunction>(
    method: Fn & Fit<ArgsOf<Fn>, ReturnType<Fn>, Listed>,
    context: ClassMethodDecoratorContext,
  ): void
  /** Compilers show the last overload when none fits: this one says why, for both kinds. */
  <Target, Descriptor = undefined>(
    target: Target & AskedOfMethod<Target, Descriptor, Listed>,
    keyOrContext: string | symbol | ClassMethodDecoratorContext,
    descriptor?: Descriptor,
  ): void
}

const tasksOfMethods = onePerProcess(
  'tasks of methods',
  () => new WeakMap<TaskFunction, Task<unknown[], unknown>>(),
)

/**
 * Defines a task: `fn` under a name that outlives builds and renamings.
 *
 * ```ts
 * export const sendWelcome = task('mail.sendWelcome', async (userId: number) => { … }, { queueName: 'mail' })
 * await sendWelcome.enqueue(42)
 * ```
 *
 * @throws InvalidTaskError for a bad name or option, in the command line also for a name that is taken at another place.
 */
export function task<Args extends unknown[], Return, const Listed extends Classes = readonly []>(
  name: string,
  fn: ((context: TaskContext, ...args: Args) => Return) & Fit<Args, Return, Listed>,
  options: WithContext<Fixed<Args>> & Listing<Listed>,
): Task<Given<Args, Listed>, Awaited<Return>>
export function task<Args extends unknown[], Return, const Listed extends Classes = readonly []>(
  name: string,
  fn: ((...args: Args) => Return) & Fit<Args, Return, Listed>,
  options?: WithoutContext<Fixed<Args>> & Listing<Listed>,
): Task<Given<Args, Listed>, Awaited<Return>>
export function task<const Listed extends Classes = readonly []>(
  name: string,
  options?: TaskOptions & Listing<Listed>,
): TaskDecorator<Listed>
/** Compilers show the last overload when none fits: this one says why. Parameters without types get theirs from those above. */
export function task<
  Fn extends TaskFunction,
  const Listed extends Classes = readonly [],
  Takes extends boolean | undefined = false,
>(
  name: string,
  fn: Fn & Asked<Fn, Takes, Listed>,
  options?: TaskOptions<ArgsOf<Fn>> & Listing<Listed> & { takesContext?: Takes },
): Defined<Fn, Listed>
export function task(name: string, ...given: readonly unknown[]): unknown {
  const place = placeOfCall(task)
  const [first, options = {}] = given
  if (typeof first === 'function')
    return define(name, first as TaskFunction, options as TaskOptions, place)
  const own = given.length === 0 ? {} : first
  check(taskSubject(name), '', own, FUNCTION_OR_OPTIONS)
  return decorator(name, own as TaskOptions, place)
}

/** Explicitly undefined is a function that is not there yet, and no decorator: what is made of that has no `enqueue`. */
const FUNCTION_OR_OPTIONS: Rule = {
  expected: 'a function, or an object of options for a static method',
  isSound: isRecord,
  hint: 'Pass the function. It is undefined if it comes from a file that imports this one, or has another name there.',
}

/**
 * The typed handle of a static method marked with `@task`.
 *
 * @throws InvalidTaskError if the method is not marked.
 */
export function taskOf<Fn extends TaskFunction>(
  method: Fn,
): Task<ArgsOf<Fn>, Awaited<ReturnType<Fn>>> {
  const found = tasksOfMethods.get(method)
  if (!found)
    throw new InvalidTaskError(
      `The method "${method.name}" is not marked as a task.`,
      'Put @task(name) on it.',
    )
  return found as Task<ArgsOf<Fn>, Awaited<ReturnType<Fn>>>
}

/**
 * The handle of a task whose code lives elsewhere, in a Django app or another service: it can be enqueued,
 * and its results read; running it here is an error.
 */
export function remoteTask<Args extends unknown[], Return = unknown>(
  name: string & CarriedByJson<Args, Return>,
  options: Omit<TaskOptions, 'takesContext' | 'args' | 'keepResults'> &
    Listing<ArgumentClasses<Args>> = {},
): Task<Args, Return> {
  return new Task<Args, Return>(taskValues(name, options as TaskOptions), null)
}

function define(
  name: string,
  fn: TaskFunction,
  options: TaskOptions,
  place: Place,
): Task<unknown[], unknown> {
  if (tasks.find(name)) tasks.noteReload()
  const defined = new Task<unknown[], unknown>(taskValues(name, options), fn)
  tasks.add(defined, place)
  return defined
}

function decorator(name: string, options: TaskOptions, place: Place): TaskDecorator {
  return (
    target: unknown,
    keyOrContext: unknown,
    descriptor?: TypedPropertyDescriptor<TaskFunction>,
  ) => {
    const method = isNewer(keyOrContext) ? target : descriptor?.value
    if (typeof method !== 'function' || !isStatic(target, keyOrContext))
      throw new InvalidTaskError(
        `Task "${name}" marks something other than a static method.`,
        'Make the method static, or define the task with task(name, fn).',
      )
    const fn = method as TaskFunction
    const owner = ownerOf(target, keyOrContext)
    tasksOfMethods.set(
      fn,
      define(name, (...given) => Reflect.apply(fn, owner(), given), options, place),
    )
  }
}

/** The class whose method this is, so that `this` is right in it; newer decorators learn it only later. */
function ownerOf(target: unknown, keyOrContext: unknown): () => unknown {
  const owner = { class: target }
  if (isNewer(keyOrContext))
    keyOrContext.addInitializer(function (this: unknown) {
      owner.class = this
    })
  return () => owner.class
}

/** Older decorators get the class itself for a static method, newer ones say so in their context. */
function isStatic(target: unknown, keyOrContext: unknown): boolean {
  return isNewer(keyOrContext) ? keyOrContext.static : typeof target === 'function'
}

function isNewer(keyOrContext: unknown): keyOrContext is ClassMethodDecoratorContext {
  return typeof keyOrContext === 'object' && keyOrContext !== null
}
