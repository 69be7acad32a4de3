import type { TaskBackend } from '../index'
import { backends as configured } from '../lib/backend-registry'
import { InvalidSettingsError } from '../lib/errors/errors'
import { didYouMean } from '../lib/errors/suggestions'
import { log } from '../lib/events/logger'
import { type NodeRequest, nodeAdapter, parsed } from './adapters/node'
import { Handler } from './handler'
import { assertOptions, type Change, type DashboardOptions } from './options'

export type { Change, DashboardOptions, RedactOptions } from './options'
export type { Granted, Permission } from './security/access'

/** A dashboard, for whatever serves it. */
export interface Dashboard {
  /** For Express, Connect, Nest and node:http: `app.use('/admin/tasks', page.node)`. */
  readonly node: ReturnType<typeof nodeAdapter>
  /**
   * For what has Request and Response. They tell no addresses, so without `authorize` the dashboard is closed here.
   */
  readonly fetch: (request: Request) => Promise<Response>
}

/**
 * A page that shows tasks, and lets people run, retry and cancel them.
 *
 * @throws InvalidSettingsError for an option that there is not, or that is not what it must be.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- a request is whatever the framework has
export function dashboard<Req = any, User = any>(
  options: DashboardOptions<Req, User> = {},
): Dashboard {
  assertOptions(options)
  const handler = new Handler(options, {
    backends: () => chosenOf(options.backends),
    audit: options.audit ?? logged,
    environment: process.env['NODE_ENV'],
    report: (error) => log.error(`The dashboard failed: ${String(error)}`),
  })
  return {
    node: nodeAdapter(handler),
    fetch: (request) =>
      handler.answer({
        method: request.method,
        url: request.url,
        headers: request.headers,
        remoteAddress: null,
        localAddress: null,
        body: async () => parsed(await request.text()),
        native: request,
      }),
  }
}

export type { NodeRequest }

/** Read at each request, since TASKS may be configured after the page is made. */
function chosenOf(aliases: readonly string[] | undefined): ReadonlyMap<string, TaskBackend> {
  const all = new Map(configured.all().map((backend) => [backend.alias, backend]))
  if (aliases === undefined) return all
  const missing = aliases.find((alias) => !all.has(alias))
  if (missing !== undefined)
    throw new InvalidSettingsError(
      `The option backends of the dashboard has "${missing}", which TASKS does not have.`,
      didYouMean(missing, [...all.keys()]) ?? `TASKS has ${[...all.keys()].join(', ')}.`,
    )
  return new Map([...all].filter(([alias]) => aliases.includes(alias)))
}

function logged({ user, action, ids, changed }: Change): void {
  const who = user === undefined ? '' : ` by ${JSON.stringify(user)}`
  log.info(`Dashboard: ${action} of ${ids.length}, ${changed} changed${who}: ${ids.join(', ')}`)
}
