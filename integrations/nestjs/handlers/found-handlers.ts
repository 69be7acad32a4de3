import { Inject, Injectable } from '@nestjs/common'
import { ContextIdFactory, DiscoveryService, ModuleRef } from '@nestjs/core'
import { InvalidTaskError, type Schedule, schedule, type TaskContext } from '../../../index'
import { backends } from '../../../lib/backend-registry'
import { tasks } from '../../../lib/registry'
import { schedules } from '../../../lib/schedules/registry'
import { type Class, type Handler, handlersOf, placeOf } from './task-handler'
import { log } from '../log'
import { TaskRun } from './task-run'

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number]

/** The provider that has handlers. */
interface Found {
  readonly wrapper: Wrapper
  readonly provider: Class
}

interface Known {
  readonly handler: Handler
  readonly found: Found
}

/** The handlers of the app's providers. */
@Injectable()
export class FoundHandlers {
  readonly #known = new Map<string, Known & { readonly run: Handler['run'] }>()
  readonly #schedules: Schedule<unknown>[] = []
  readonly #discovery: DiscoveryService
  readonly #modules: ModuleRef

  constructor(
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(ModuleRef) modules: ModuleRef,
  ) {
    this.#discovery = discovery
    this.#modules = modules
  }

  /**
   * Defines the tasks that are not defined yet: at first those of classes; once all instances are there, those of what
   * factories have made.
   *
   * @throws InvalidTaskError for two handlers of a name, and for one in a controller.
   */
  define(): void {
    this.#refuseControllers()
    for (const wrapper of this.#discovery.getProviders()) {
      const provider = classOf(wrapper)
      if (provider) this.#add({ wrapper, provider })
    }
  }

  /** The methods whose runs have processes of their own. */
  isolated(): string[] {
    return [...this.#known.values()]
      .filter(({ handler }) => handler.options.isolate)
      .map(({ handler }) => placeOf(handler))
  }

  /** Another app in this process, as tests have one after the other, need not have the queues of these tasks. */
  forget(): void {
    for (const { handler, run } of this.#known.values()) {
      // A later app has it now.
      if (handler.run !== run) continue
      tasks.forget(handler.task)
      handler.run = undefined
    }
    for (const each of this.#schedules) schedules.forget(each)
    this.#known.clear()
  }

  #add(found: Found): void {
    for (const handler of handlersOf(found.provider)) {
      const known = this.#known.get(handler.name)
      if (known) refuseAnother(known, { handler, found })
      else this.#define(handler, found)
    }
  }

  #define(handler: Handler, found: Found): void {
    const { name, task, place } = handler
    tasks.add(task, place)
    const run: Handler['run'] = (context, args) => this.#run(handler, found, context, args)
    handler.run = run
    this.#known.set(name, { handler, found, run })
    backends.get(task.backend).validate(task)
    for (const [scheduled, when] of Object.entries(handler.schedules))
      this.#schedules.push(schedule(scheduled, task, when))
  }

  async #run(
    handler: Handler,
    found: Found,
    context: TaskContext,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { method, options } = handler
    const instance = await this.#instanceOf(found, context, placeOf(handler))
    const given = options.takesContext ? [context, ...args] : args
    return Reflect.apply(Reflect.get(instance, method) as () => unknown, instance, given)
  }

  /** A provider that is not one for all has its own tree for each run. */
  async #instanceOf({ wrapper }: Found, context: TaskContext, place: string): Promise<object> {
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) return wrapper.instance as object
    const id = ContextIdFactory.create()
    const modules = this.#modulesAt(wrapper)
    modules.registerRequestByContextId(new TaskRun(context, place), id)
    return modules.resolve<object>(wrapper.token as Class<object>, id)
  }

  /** Other modules may provide something else by the same token. */
  #modulesAt({ host }: Wrapper): ModuleRef {
    const own = host?.providers.get(ModuleRef)?.instance as ModuleRef | undefined
    return own ?? this.#modules
  }

  #refuseControllers(): void {
    for (const { metatype } of this.#discovery.getControllers()) {
      const [handler] = handlersOf(metatype)
      if (handler)
        throw new InvalidTaskError(
          `Task "${handler.name}": ${placeOf(handler)} is of a controller, and a task has no request.`,
          'Move the method into a provider, and enqueue it from the controller.',
        )
    }
  }
}

/** By its token first: what a test puts in the place of a class is not decorated. */
function classOf(wrapper: Wrapper): Class | undefined {
  if (wrapper.isAlias) return undefined
  const instance = wrapper.instance as object | null | undefined
  const classes: unknown[] = [wrapper.token, wrapper.metatype, instance?.constructor]
  return classes.find((each) => handlersOf(each).length > 0) as Class | undefined
}

function refuseAnother(one: Known, other: Known): void {
  if (one.found.wrapper === other.found.wrapper && one.handler === other.handler) return
  const [here, there] = [one, other].map(
    ({ handler, found }) => `${found.provider.name}.${handler.method}`,
  )
  if (one.found.provider !== other.found.provider || one.handler !== other.handler)
    throw new InvalidTaskError(
      `Two handlers are of task "${one.handler.name}": ${here} and ${there}.`,
      'Rename one of the tasks.',
    )
  const modules = [one, other].map(({ found }) => found.wrapper.host?.name ?? 'a module')
  log.warn(
    `${one.found.provider.name} is a provider of two modules, ${modules.join(' and ')}: its tasks run in the instance of ${modules[0]}. Export it from one of them, and import that module in the other.`,
  )
}
