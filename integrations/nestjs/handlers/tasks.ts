import { Inject, Injectable } from '@nestjs/common'
import { didYouMean, InvalidTaskError, type Task } from '../../../index'
import { type ArgumentsOf, type Class, handlersOf, type Method } from './task-handler'

/** The tasks of a provider's class by the names of their methods, typed as those are. */
export type TasksOf<Provider> = {
  readonly [
    Key in keyof Provider as Provider[Key] extends Method ? Key : never
  ]: Provider[Key] extends Method
    ? Task<ArgumentsOf<Provider[Key]>, Awaited<ReturnType<Provider[Key]>>>
    : never
}

/**
 * Gives the tasks of a provider's class: `Tasks.of(Mail).welcome.enqueue(42)`. An app that only enqueues need not provide the
 * class. May be injected, too.
 */
@Injectable()
export class Tasks {
  /** @throws InvalidTaskError if no method of the class is a task; on use, for a method that is none. */
  static of<Provider>(provider: Class<Provider>): TasksOf<Provider> {
    const handlers = handlersOf(provider)
    if (handlers.length === 0)
      throw new InvalidTaskError(
        `${nameOf(provider)} has no task.`,
        "Put @TaskHandler('some.name') on a method of it.",
      )
    return new Proxy(Object.create(null) as TasksOf<Provider>, {
      get: (_, key) => {
        const handler = handlers.find(({ method }) => method === key)
        if (!handler) assertNoMethod(provider, key)
        return handler?.task
      },
    })
  }

  /** @throws as `Tasks.of`. */
  of<Provider>(provider: Class<Provider>): TasksOf<Provider> {
    return Tasks.of(provider)
  }
}

interface Wanted {
  readonly provider: Class
  readonly method: string
  readonly token: symbol
}

const wanted: Wanted[] = []

/**
 * Injects the task of a method: `constructor(@InjectTask(Mail, 'welcome') private readonly welcome: Task<[number], string>)`.
 *
 * @throws InvalidTaskError if the method is no task.
 */
export function InjectTask<Provider>(
  provider: Class<Provider>,
  method: keyof TasksOf<Provider> & string,
): PropertyDecorator & ParameterDecorator {
  if (provider === undefined)
    throw new InvalidTaskError(
      `@InjectTask(undefined, '${method}'): the class is not there yet.`,
      'Two files import each other: move the task or its caller, or inject Tasks and call of() in the method.',
    )
  const isKnown = handlersOf(provider).some((each) => each.method === method)
  if (!isKnown) void Tasks.of(provider)[method]
  const known = wanted.find((each) => each.provider === provider && each.method === method)
  const { token } = known ?? { token: Symbol(`task ${provider.name}.${method}`) }
  if (!known) wanted.push({ provider, method, token })
  return Inject(token)
}

/** A provider for each task that is injected. */
export function injectedTasks(): { provide: symbol; useFactory: () => unknown }[] {
  return wanted.map(({ provider, method, token }) => ({
    provide: token,
    useFactory: () => Reflect.get(Tasks.of(provider), method) as unknown,
  }))
}

/** What asks for other names, such as `await` for `then`, is answered by undefined. */
function assertNoMethod(provider: Class, key: string | symbol): void {
  const { prototype } = provider as { prototype: object }
  if (typeof key !== 'string' || !(key in prototype) || key in Object.prototype) return
  const known = handlersOf(provider).map(({ method }) => method)
  throw new InvalidTaskError(
    `${provider.name}.${key} is no task.`,
    didYouMean(key, known) ??
      `Put @TaskHandler on it; tasks of ${provider.name} are: ${known.join(', ')}.`,
  )
}

function nameOf(provider: unknown): string {
  return typeof provider === 'function' ? provider.name : String(provider)
}
