import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { briefly } from '../../lib/errors/error-record'
import { log } from '../../lib/events/logger'
import { type Address, listen } from './listen'

/** What a route answers. */
export interface Answer {
  readonly status: number
  /** Of the body, such as `application/json`. */
  readonly type: string
  readonly body: string
}

/** The answers by their paths, such as `/livez`. */
export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>

/** Routes, and where they are served. */
export interface Site extends Address {
  readonly routes: Routes
}

/** Time in ms for a client to send its request. */
const REQUEST_MS = 3_000
/** Time in ms between two looks for clients that have not. */
const LOOK_MS = 1_000
/** A client that opens connections and sends nothing must not use up the files of the process, nor keep probes out. */
const MOST_IDLE = 64
const MOST_CONNECTIONS = 2 * MOST_IDLE

/** What this process serves. */
const opened: Opened[] = []

/**
 * Serves the routes by GET and HEAD, until the process ends: the servers do not keep it. Sites of one host and port are one
 * server, also those of several calls, unless the port is 0. Resolves to the address of each site, such as
 * `http://127.0.0.1:9464`.
 *
 * @throws UsageError if a port is taken or a host is none of this machine.
 */
export async function serveRoutes(sites: readonly Site[]): Promise<string[]> {
  const urls: string[] = []
  for (const site of sites) {
    const before = opened.find(({ sites: [first] }) => first && isOne(first, site))
    before?.sites.push(site)
    urls.push((before ?? (await open(site))).url)
  }
  return urls
}

interface Opened {
  readonly url: string
  readonly sites: Site[]
}

function isOne(one: Site, other: Site): boolean {
  return one.port !== 0 && one.port === other.port && one.host === other.host
}

async function open(site: Site): Promise<Opened> {
  const sites = [site]
  const server = createServer(
    {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: LOOK_MS,
    },
    (request, response) => void answer(sites, request, response),
  ).unref()
  server.maxConnections = MOST_CONNECTIONS
  server.on('connection', (socket) => void socket.unref())
  limitIdle(server)
  const url = await listen(server, site)
  // Such as too many open files: it goes on with the connections that it has.
  server.on('error', (error) => log.warn(`The server of ${url} has failed: ${briefly(error)}`))
  const made = { url, sites }
  opened.push(made)
  return made
}

/** Closes the oldest of the connections that wait for a request, if there are too many. */
function limitIdle(server: Server): void {
  const idle = new Set<Socket>()
  server.on('connection', (socket) => {
    idle.add(socket)
    socket.once('close', () => idle.delete(socket))
    const [oldest] = idle
    if (idle.size > MOST_IDLE) oldest?.destroy()
  })
  server.on('request', ({ socket }, response) => {
    idle.delete(socket)
    response.once('close', () => void (socket.destroyed || idle.add(socket)))
  })
}

async function answer(
  sites: readonly Site[],
  { method = '', url = '' }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const routes: Routes = Object.assign({}, ...sites.map((site) => site.routes))
  const isAllowed = method === 'GET' || method === 'HEAD'
  const { status, type, body } = isAllowed
    ? await answerOf(routes, url.split('?')[0] ?? '')
    : text(405, 'Use GET.')
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(isAllowed ? {} : { allow: 'GET, HEAD' }),
  })
  response.end(method === 'HEAD' ? undefined : body)
}

async function answerOf(routes: Routes, path: string): Promise<Answer> {
  if (!Object.hasOwn(routes, path))
    return text(404, `Nothing is here. There is ${Object.keys(routes).join(', ')}.`)
  try {
    return (await routes[path]?.()) ?? text(404, '')
  } catch (error) {
    log.error(`The answer of ${path} has failed: ${briefly(error)}`)
    return text(500, 'It has failed; the log of the process says why.')
  }
}

function text(status: number, line: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` }
}
