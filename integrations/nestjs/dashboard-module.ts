import {
  All,
  type BeforeApplicationShutdown,
  type CanActivate,
  Controller,
  type DynamicModule,
  Inject,
  Module,
  type NestModule,
  Req,
  Res,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import {
  type Dashboard,
  dashboard,
  type DashboardOptions,
  type FastifyReplyLike,
  type FastifyRequestLike,
  type NodeRequest,
} from '../../dashboard'
import { check, type Rule, settingsSubject } from '../../lib/errors/option-checks'

/** The options of a dashboard, and where it is. */
export interface DashboardModuleOptions extends DashboardOptions {
  /** Where it is, after the app's global prefix if there is one. Default `'tasks'`. */
  path?: string | undefined
  /** Guards of its controller. Without `authorize` whoever they let in may do everything. */
  guards?: readonly (Type<CanActivate> | CanActivate)[] | undefined
  /** Modules that provide what the guards inject. */
  imports?: DynamicModule['imports']
}

const SUBJECT = settingsSubject('DashboardModule')

const PATH: Rule = {
  expected: 'a path such as "admin/tasks", without parameters',
  isSound: (value) => typeof value === 'string' && /^\/?[\w.~-]+(\/[\w.~-]+)*$/.test(value),
}
const GUARDS: Rule = {
  expected: 'a list of guards',
  isSound: (value) => Array.isArray(value) && value.every((each) => each !== undefined),
  hint: 'Write { guards: [AdminGuard] }. One is undefined if its file imports this one.',
}

const PAGE = Symbol('page of DashboardModule')
const CONTROLLER = Symbol('controller of DashboardModule')

/** The dashboard as a page of the app: `DashboardModule.forRoot({ path: 'admin/tasks', guards: [AdminGuard] })`. */
@Module({})
export class DashboardModule implements NestModule, BeforeApplicationShutdown {
  readonly #page: Dashboard
  readonly #controller: Type
  readonly #server: HttpAdapterHost

  constructor(
    @Inject(PAGE) page: Dashboard,
    @Inject(CONTROLLER) controller: Type,
    @Inject(HttpAdapterHost) server: HttpAdapterHost,
  ) {
    this.#page = page
    this.#controller = controller
    this.#server = server
  }

  /** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
  static forRoot(options: DashboardModuleOptions = {}): DynamicModule {
    const { path = 'tasks', guards = [], imports = [], ...page } = options
    check(SUBJECT, 'path', path, PATH)
    check(SUBJECT, 'guards', guards, GUARDS)
    const isGuarded = guards.length > 0 && page.authorize === undefined
    const made = dashboard({
      user: ({ user }: { user?: unknown }) => user,
      ...page,
      ...(isGuarded ? { authorize: () => 'all' as const } : {}),
    })
    const controller = controllerAt(path, guards)
    return {
      module: DashboardModule,
      imports,
      controllers: [controller],
      providers: [
        { provide: PAGE, useValue: made },
        { provide: CONTROLLER, useValue: controller },
      ],
    }
  }

  /** Nest calls it before it reads the routes, and knows its server by then: what stands for the rest of a path differs. */
  configure(): void {
    const { prototype } = this.#controller as { prototype: object }
    const isFastify = this.#server.httpAdapter?.getType() === 'fastify'
    const descriptor = Object.getOwnPropertyDescriptor(prototype, 'answer') ?? {}
    All(['', isFastify ? '*' : '*path'])(prototype, 'answer', descriptor)
  }

  /** Open pages hold their connections, for which a server waits when it closes. */
  beforeApplicationShutdown(): Promise<void> {
    return this.#page.close()
  }
}

/** A class for each place: decorators hold for a class. */
function controllerAt(path: string, guards: readonly (Type<CanActivate> | CanActivate)[]): Type {
  // What the page asks for names no version.
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class TasksDashboard {
    readonly #page: Dashboard

    constructor(@Inject(PAGE) page: Dashboard) {
      this.#page = page
    }

    answer(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      const { node, fastify } = this.#page
      return isOfFastify(response)
        ? fastify(request as FastifyRequestLike, response)
        : node(request as NodeRequest, response as Parameters<typeof node>[1])
    }
  }
  return TasksDashboard
}

function isOfFastify(response: unknown): response is FastifyReplyLike {
  return typeof response === 'object' && response !== null && 'hijack' in response
}
