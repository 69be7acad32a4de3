import { type FastifyReplyLike, type FastifyRequestLike, fastifyAdapter } from './adapters/fastify'
import { fetchAdapter } from './adapters/fetch'
import { type NodeRequest, nodeAdapter } from './adapters/node'
import { madeOf } from './make'
import type { DashboardOptions } from './options'

export type { Change, DashboardOptions, RedactOptions } from './options'
export type { Granted, Permission } from './security/access'
export type { FastifyReplyLike, FastifyRequestLike, NodeRequest }

/** A dashboard, for whatever serves it. */
export interface Dashboard {
  /** For Express, Connect, Nest and node:http: `app.use('/admin/tasks', page.node)`. */
  readonly node: ReturnType<typeof nodeAdapter>
  /** For Fastify: `fastify.all('/admin/tasks/*', page.fastify)`. */
  readonly fastify: ReturnType<typeof fastifyAdapter>
  /**
   * For what has Request and Response, such as Hono. They tell no addresses, so without `authorize` the dashboard is closed
   * here.
   */
  readonly fetch: (request: Request) => Promise<Response>
  /** Ends what it sends to open pages, and gives its connections to databases back. From then on it answers 503. */
  readonly close: () => Promise<void>
}

/**
 * A page that shows tasks, queues, workers and schedules, and lets people change them.
 *
 * @throws InvalidSettingsError for an option that there is not, or that is not what it must be.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- a request is whatever the framework has
export function dashboard<Req = any, User = any>(
  options: DashboardOptions<Req, User> = {},
): Dashboard {
  const { handler, close } = madeOf(options)
  const node = nodeAdapter(handler)
  return { node, fastify: fastifyAdapter(handler), fetch: fetchAdapter(handler), close }
}
