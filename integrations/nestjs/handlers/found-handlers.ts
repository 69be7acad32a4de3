import { Inject, Injectable } from '@nestjs/common'
import { ContextIdFactory, DiscoveryService, LazyModuleLoader, ModuleRef } from '@nestjs/core'
import { InvalidTaskError, type Schedule, schedule, type TaskContext } from '../../../index'
import { backends } from '../../../lib/backend-registry'
import { tasks } from '../../../lib/registry'
import { schedules } from '../../../lib/schedules/registry'
import { type Class, type Handler, handlersOf, placeOf } from './task-handler'
import { log } from '../log'
import { TaskRun } from './task-run'

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number]

/** A handler, and the provider that has it. */
interface Known {
  readonly handler: Handler
  readonly provider: Class
  readonly wrapper: Wrapper
}

/** The handlers of the app's providers. */
@Injectable()
export class FoundHandlers {
  readonly #known = new Map<string, Known & { readonly run: Handler['run'] }>()
  readonly #schedules: Schedule<unknown>[] = []
  readonly #warned = new Set<Wrapper>()
  #isPresent = true
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
      if (wrapper.isAlias) continue
      for (const handler of providedBy(wrapper)) this.#add(handler, wrapper)
    }
  }

  /** Nest tells nobody of the modules that it loads later. */
  defineWhenLoaded(): void {
    const loader = this.#modules.get(LazyModuleLoader, { strict: false })
    const load = loader.load.bind(loader)
    loader.load = async (...given) => {
      const loaded = await load(...given)
      if (this.#isPresent) this.define()
      return loaded
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
    this.#isPresent = false
    for (const { handler, run } of this.#known.values()) {
      // A later app has it now.
      if (handler.run !== run) continue
      tasks.forget(handler.task)
      handler.run = undefined
    }
    for (const each of this.#schedules) schedules.forget(each)
    this.#known.clear()
  }

  #add({ handler, provider }: Provided, wrapper: Wrapper): void {
    const known = this.#known.get(handler.name)
    const found = { handler, provider, wrapper }
    if (!known) this.#define(found)
    else if (known.wrapper !== wrapper || known.handler !== handler) this.#another(known, found)
  }

  #define(found: Known): void {
    const { handler } = found
    const { name, task, place } = handler
    tasks.add(task, place)
    const run: Handler['run'] = (context, args) => this.#run(found, context, args)
    handler.run = run
    this.#known.set(name, { ...found, run })
    backends.get(task.backend).validate(task)
    for (const [scheduled, when] of Object.entries(handler.schedules))
      this.#schedules.push(schedule(scheduled, task, when))
  }

  /** The same class may be provided by two modules, which is no fault as long as both make the same of it. */
  #another(one: Known, other: Known): void {
    if (one.provider !== other.provider || one.handler !== other.handler)
      throw ofOneName(one, other)
    if (this.#warned.has(other.wrapper)) return
    this.#warned.add(other.wrapper)
    const modules = [one, other].map(({ wrapper }) => wrapper.host?.name ?? 'a module')
    log.warn(
      `${one.provider.name} is a provider of two modules, ${modules.join(' and ')}: its tasks run in the instance of ${modules[0]}. Export it from one of them, and import that module in the other.`,
    )
  }

  async #run(
    { handler, wrapper }: Known,
    context: TaskContext,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { method, options } = handler
    const instance = await this.#instanceOf(wrapper, context, placeOf(handler))
    const given = options.takesContext ? [context, ...args] : args
    return Reflect.apply(Reflect.get(instance, method) as () => unknown, instance, given)
  }

  /** A provider that is not one for all has its own tree for each run. */
  async #instanceOf(wrapper: Wrapper, context: TaskContext, place: string): Promise<object> {
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

/** A handler, and the class that has or inherits it. */
type Provided = Omit<Known, 'wrapper'>

/**
 * Those of its class, and of its token: what a test puts in the place of a class is not decorated, and a class that stands for
 * its base may have more of its own.
 */
function providedBy({ token, metatype, instance }: Wrapper): Provided[] {
  const made: unknown = (instance as object | null | undefined)?.constructor
  const found: Provided[] = []
  for (const each of [metatype, made, token])
    for (const handler of handlersOf(each))
      if (found.every((known) => known.handler.name !== handler.name))
        found.push({ handler, provider: each as Class })
  return found
}

function ofOneName(one: Known, other: Known): InvalidTaskError {
  const { handler } = one
  const [here, there] = [one, other].map((each) => `${each.provider.name}.${each.handler.method}`)
  const fault = `Two handlers are of task "${handler.name}": ${here} and ${there}`
  if (handler !== other.handler)
    return new InvalidTaskError(`${fault}.`, 'Rename one of the tasks.')
  const heir = [other, one].map(({ provider }) => provider).find((each) => each !== handler.owner)
  return new InvalidTaskError(
    `${fault}, which are both the method of ${handler.owner.name}.`,
    `Provide one of the two classes only, or override ${handler.method} in ${heir?.name ?? there} with a @TaskHandler of another name.`,
  )
}
