import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Dashboard, dashboard, type DashboardOptions } from '../../dashboard'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- what the API gives is looked at
  readonly body: any
}

/** Asks the API of a page: a path such as `tasks?limit=2`. */
export type Ask = (path: string, init?: RequestInit) => Promise<Reply>

const servers: Server[] = []
const pages: Dashboard[] = []

/** A server of this machine on a free port, as `http://…` without a slash at the end. Ended by `closeServed`. */
export async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A page, and the address of its API. */
export async function served(
  options: DashboardOptions = {},
): Promise<{ readonly page: Dashboard; readonly api: string }> {
  const page = made(options)
  const url = await listening((request, response) => void page.node(request, response))
  return { page, api: `${url}/admin/tasks/api/1/` }
}

/** A page that `closeServed` closes. */
export function made(options: DashboardOptions = {}): Dashboard {
  const page = dashboard(options)
  pages.push(page)
  return page
}

/** A page that is served, to be asked. */
export async function serve(options: DashboardOptions = {}): Promise<Ask> {
  return askOf((await served(options)).api)
}

export function askOf(api: string): Ask {
  return async (path, init) => {
    const answer = await fetch(`${api}${path}`, init)
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false
    return {
      status: answer.status,
      headers: answer.headers,
      body: isJson && text !== '' ? JSON.parse(text) : text,
    }
  }
}

/** A change as the page sends it. */
export function change(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tasks': '1',
      'sec-fetch-site': 'same-origin',
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }
}

/** Ends all pages and servers of the spec so far. */
export async function closeServed(): Promise<void> {
  await Promise.all(pages.splice(0).map((page) => page.close()))
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
}

/** One event of a stream. */
export interface SeenEvent {
  readonly event: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what the API gives is looked at
  readonly data: any
}

/** A tab that has the events of some paths open. */
export class Tab {
  readonly events: SeenEvent[] = []
  status = 0
  headers = new Headers()
  isOver = false
  readonly #leaving = new AbortController()

  static async open(api: string, ...paths: string[]): Promise<Tab> {
    const tab = new Tab()
    const show = new URLSearchParams({ show: paths.join(' ') }).toString()
    const answer = await fetch(`${api}events?${show}`, { signal: tab.#leaving.signal })
    tab.status = answer.status
    tab.headers = answer.headers
    if (answer.body) void tab.#read(answer.body).catch(() => {})
    return tab
  }

  leave(): void {
    this.#leaving.abort()
  }

  /** Those of one path. */
  of(path: string): readonly SeenEvent[] {
    return this.events.filter(({ data }) => data.path === path)
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true })
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) this.#take(part)
    }
    this.isOver = true
  }

  #take(part: string): void {
    const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? []
    if (event !== '') this.events.push({ event, data: JSON.parse(data) })
  }
}
