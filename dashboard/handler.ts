import type { TaskBackend } from '../index'
import { failed, json, refused } from './api/answer'
import { assetNamed, pageOf } from './assets'
import { changeAll, idsIn, permissionOf } from './api/changes'
import { isId, name, parametersIn } from './api/query'
import { type Asked, chosen, overviewRoute, taskRoute, tasksRoute } from './api/routes'
import type { Change, DashboardOptions } from './options'
import { accessOf, type Caller, openAccess, type Permission, type Refusal } from './security/access'
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
  readonly backends: () => ReadonlyMap<string, TaskBackend>
  readonly audit: (change: Change) => void
  readonly environment: string | undefined
  /** Hears of errors that are not told to the page. */
  readonly report: (error: unknown) => void
}

interface Visitor {
  readonly user: unknown
  readonly access: ReadonlySet<Permission>
}

/** Answers requests; never rejects. */
export class Handler {
  readonly #options: DashboardOptions
  readonly #around: Surroundings

  constructor(options: DashboardOptions, around: Surroundings) {
    this.#options = options
    this.#around = around
  }

  async answer(incoming: Incoming): Promise<Response> {
    try {
      const { pathname, searchParams } = new URL(incoming.url, 'http://localhost')
      const last = pathname.split('/').at(-1) ?? ''
      const isApi = pathname.includes(API)
      // The files are those of the package, and hold nothing of anybody.
      const asset = isApi || !/^app\.\w+\.(js|css)$/.test(last) ? undefined : assetNamed(last)
      if (asset) return asset
      const visitor = await this.#visitor(incoming)
      if ('status' in visitor) return refused(visitor)
      if (isApi) return await this.#answer(incoming, visitor, pathname, searchParams)
      return last === '' ? pageOf() : redirect(`${last}/`)
    } catch (error) {
      const answer = failed(error)
      if (answer.status >= 500) this.#around.report(error)
      return answer
    }
  }

  async #visitor(incoming: Incoming): Promise<Visitor | Refusal> {
    const { authorize, user: userOf } = this.#options
    const user = await userOf?.(incoming.native)
    if (!authorize) {
      const closed = openAccess(incoming, this.#around.environment)
      return closed ?? { user, access: accessOf('all') as ReadonlySet<Permission> }
    }
    const access = accessOf(await authorize(incoming.native, user))
    return 'status' in access ? access : { user, access }
  }

  async #answer(
    incoming: Incoming,
    visitor: Visitor,
    pathname: string,
    search: URLSearchParams,
  ): Promise<Response> {
    const parts = (pathname.split(API).at(-1) ?? '').split('/')
    if (incoming.method === 'POST') return this.#change(incoming, visitor, parts, search)
    if (incoming.method === 'GET' || incoming.method === 'HEAD')
      return this.#read(parts, this.#asked(search, visitor))
    return refused({ ...NOT_ALLOWED, headers: { Allow: 'GET, HEAD, POST' } })
  }

  async #read([route, id, ...others]: readonly string[], asked: Asked): Promise<Response> {
    if (others.length > 0) return refused(NOT_FOUND)
    if (route === 'overview' && id === undefined) return json(200, await overviewRoute(asked))
    if (route !== 'tasks') return refused(NOT_FOUND)
    if (id === undefined) return json(200, await tasksRoute(asked))
    return isId(id) ? json(200, await taskRoute(asked, id)) : refused(NOT_FOUND)
  }

  async #change(
    incoming: Incoming,
    { user, access }: Visitor,
    [route, change = '', ...others]: readonly string[],
    search: URLSearchParams,
  ): Promise<Response> {
    const action = permissionOf(change)
    if (route !== 'tasks' || action === undefined || others.length > 0) return refused(NOT_FOUND)
    const forged = forgery(incoming.headers, this.#options.origins ?? [])
    if (forged) return refused(forged)
    if (!access.has(action)) return refused(mayNot(action))
    const { backend } = parametersIn(search, { backend: name(32) })
    const ids = idsIn(await incoming.body())
    const target = chosen(this.#around.backends(), backend)
    const changed: string[] = []
    try {
      return json(200, await changeAll(target, change, ids, changed))
    } finally {
      // Also of a request that failed half way.
      this.#around.audit({ user, action, ids, changed: changed.length })
    }
  }

  #asked(search: URLSearchParams, { access }: Visitor): Asked {
    const { redact = {} } = this.#options
    return { search, access, redact, backends: this.#around.backends() }
  }
}

/** Paths are told by their end, so that no base path has to be known. */
const API = '/api/1/'

/** To the same address with a slash, relative: behind a proxy that rewrites it holds, too. */
function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { ...SAFE_HEADERS, Location: location } })
}

const NOT_FOUND: Refusal = { status: 404, message: 'Not found' }
const NOT_ALLOWED: Refusal = { status: 405, message: 'Send GET, or POST for changes.' }

function mayNot(action: Permission): Refusal {
  return {
    status: 403,
    message: `You may not do this: authorize did not give you the permission "${action}".`,
  }
}
