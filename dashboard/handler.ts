import { UsageError } from '../index'
import { failed, json, refused, statusOf } from './api/answer'
import type { Asked, Page } from './api/asked'
import { changeAt } from './api/changes'
import { partsOf } from './api/paths'
import { brief } from './api/query'
import { readingOf } from './api/reads'
import { assetNamed, isAssetName, pageOf } from './assets'
import { eventsOf } from './live/events'
import { Looker } from './live/looker'
import type { Change, DashboardOptions } from './options'
import {
  accessOf,
  type Caller,
  CLOSED,
  lacking,
  openAccess,
  type Permission,
  type Refusal,
} from './security/access'
import { forgery, SAFE_HEADERS } from './security/guard'

/** A request, as an adapter has read it. */
export interface Incoming extends Caller {
  readonly method: string
  /** With or without a host; only what comes after the last `/api/1/` counts, so that no base path has to be known. */
  readonly url: string
  /** The body of a change. Rejects with UsageError if it is no JSON, or too long. */
  readonly body: () => Promise<unknown>
  /** What the framework has: `authorize` and `user` are handed it. */
  readonly native: unknown
}

/** What the handler has of its app. */
export interface Surroundings {
  readonly page: Page
  readonly audit: (change: Change) => Promise<void>
  /** `NODE_ENV`. */
  readonly environment: string | undefined
  /**
   * The page itself, which holds nothing of anybody, is given to all; who is granted nothing hears this of the API.
   * Undefined: they hear that there is nothing.
   */
  readonly closedDoor?: Refusal | undefined
}

type Gate = Pick<DashboardOptions, 'authorize' | 'user' | 'origins'>

interface Visitor {
  readonly user: unknown
  readonly access: ReadonlySet<Permission>
}

/** Answers requests; never rejects. */
export class Handler {
  readonly #gate: Gate
  readonly #around: Surroundings
  readonly #looker: Looker

  constructor(gate: Gate, around: Surroundings) {
    this.#gate = gate
    this.#around = around
    this.#looker = new Looker(around.page.closed)
  }

  /** It answers no more: connections need not be kept. */
  get isClosed(): boolean {
    return this.#around.page.closed.aborted
  }

  async answer(incoming: Incoming): Promise<Response> {
    try {
      if (this.isClosed) return refused(CLOSED)
      return await this.#answer(incoming)
    } catch (error) {
      if (statusOf(error) >= 500) this.#around.page.report(error)
      return failed(error)
    }
  }

  async #answer(incoming: Incoming): Promise<Response> {
    const { pathname, searchParams } = addressOf(incoming.url)
    const isApi = pathname.includes(API)
    const last = pathname.split('/').at(-1) ?? ''
    // The files are those of the package, and hold nothing of anybody.
    if (!isApi && isAssetName(last)) return assetNamed(last) ?? refused(NOT_FOUND)
    if (!isApi && this.#around.closedDoor) return pageAt(last, incoming.method)
    const visitor = await this.#visitor(incoming)
    if ('status' in visitor) return refused(visitor)
    if (!isApi) return pageAt(last, incoming.method)
    const { user, access } = visitor
    const asked = { search: searchParams, access, page: this.#around.page }
    return this.#api(incoming, user, partsOf(pathname.split(API).at(-1) ?? ''), asked)
  }

  async #api(
    incoming: Incoming,
    user: unknown,
    parts: readonly string[],
    asked: Asked,
  ): Promise<Response> {
    if (incoming.method === 'POST') return this.#change(incoming, user, parts, asked)
    if (!isReading(incoming.method))
      return refused({ ...NOT_ALLOWED, headers: { Allow: 'GET, HEAD, POST' } })
    if (parts.join('/') === 'events') return eventsOf(asked, this.#looker)
    return json(200, await readingOf(parts, asked)())
  }

  /** Who asks, and what they may do. Nothing is shown to somebody of whom that cannot be told. */
  async #visitor(incoming: Incoming): Promise<Visitor | Refusal> {
    try {
      return await this.#admitted(incoming)
    } catch (error) {
      this.#around.page.report(error)
      return UNKNOWN
    }
  }

  async #admitted(incoming: Incoming): Promise<Visitor | Refusal> {
    const { authorize, user: userOf } = this.#gate
    const user: unknown = await userOf?.(incoming.native)
    const access = authorize
      ? accessOf(await authorize(incoming.native, user))
      : (openAccess(incoming, this.#around.environment) ?? accessOf('all'))
    if (!('status' in access)) return { user, access }
    return (access.status === 404 && this.#around.closedDoor) || access
  }

  async #change(
    incoming: Incoming,
    user: unknown,
    parts: readonly string[],
    asked: Asked,
  ): Promise<Response> {
    const route = changeAt(parts)
    if (!route) return refused(NOT_FOUND)
    const forged = forgery(incoming.headers, this.#gate.origins ?? [])
    if (forged) return refused(forged)
    if (!asked.access.has(route.needs)) return refused(lacking(route.needs))
    const body = await incoming.body()
    if (this.isClosed) return refused(CLOSED)
    return route.answer({ ...asked, user, audit: this.#around.audit }, body)
  }
}

/** Paths are told by their end, so that no base path has to be known. */
const API = '/api/1/'

/** @throws UsageError for a text that is no address: clients may send any. */
function addressOf(url: string): URL {
  // A path of two slashes would be taken for a host.
  const [path, base] = [url.replace(/^\/+/, '/'), 'http://localhost']
  if (URL.canParse(path, base)) return new URL(path, base)
  throw new UsageError(
    `${brief(url)} is no address.`,
    'Send the path of the dashboard, such as /admin/tasks/.',
  )
}

/** The page, at an address that ends with a slash: the addresses in it are relative. */
function pageAt(last: string, method: string): Response {
  if (!isReading(method)) return refused({ ...NOT_ALLOWED, headers: { Allow: 'GET, HEAD' } })
  return last === '' ? pageOf() : redirect(`${last}/`)
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** To the same address with a slash, relative: behind a proxy that rewrites it holds, too. */
function redirect(location: string): Response {
  return new Response(null, {
    status: 302,
    headers: { ...SAFE_HEADERS, Location: `./${location}` },
  })
}

const NOT_FOUND: Refusal = { status: 404, message: 'Not found' }
const NOT_ALLOWED: Refusal = { status: 405, message: 'Send GET, or POST for changes.' }
const UNKNOWN: Refusal = {
  status: 503,
  message: 'The dashboard cannot tell who you are. Its log tells why.',
}
