import type { IncomingMessage, ServerResponse } from 'node:http'
import { briefly } from '../../lib/errors/error-record'
import { log } from '../../lib/events/logger'
import type { Handler, Incoming } from '../handler'
import { parsed, textWithin } from './body'

/** What frameworks add to a request of Node: the path before they cut it, and a body that they have read. */
export interface NodeRequest extends IncomingMessage {
  readonly originalUrl?: string | undefined
  readonly body?: unknown
}

/** For node:http, Express, Connect, and Nest on either platform. */
export function nodeAdapter(
  handler: Handler,
): (request: NodeRequest, response: ServerResponse) => Promise<void> {
  return (request, response) =>
    answered(handler, request, response, () => incomingOf(request, request.body, request))
}

/** Never rejects: frameworks do not await it. What cannot be read or sent any more ends with its connection. */
export async function answered(
  handler: Handler,
  request: NodeRequest,
  response: ServerResponse,
  incoming: () => Incoming,
): Promise<void> {
  try {
    await send(request, response, await handler.answer(incoming()), handler.isClosed)
  } catch (error) {
    log.warn(`The dashboard could not answer a request: ${briefly(error)}`)
    response.destroy()
  }
}

/** `body`: what a framework has read, if it has. */
export function incomingOf(request: NodeRequest, body: unknown, native: unknown): Incoming {
  const { socket, method = 'GET', httpVersion } = request
  return {
    method,
    url: request.originalUrl ?? request.url ?? '/',
    headers: headersOf(request),
    remoteAddress: socket.remoteAddress ?? null,
    localAddress: socket.localAddress ?? null,
    httpVersion,
    body: () => bodyOf(request, body),
    native,
  }
}

/** Sends an answer as it is made, no faster than it is read. `isLast`: the connection is not kept, so that the server can close. */
async function send(
  { method, httpVersionMajor }: IncomingMessage,
  response: ServerResponse & { flush?: () => void },
  answer: Response,
  isLast: boolean,
): Promise<void> {
  // Something else may have answered meanwhile, such as a middleware that limits the time.
  if (response.headersSent || response.destroyed) return answer.body?.cancel()
  // HTTP/2 has no such header: there a server that closes says so itself.
  if (isLast && httpVersionMajor < 2) response.setHeader('Connection', 'close')
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (method !== 'HEAD' && answer.body && !response.destroyed) return pipe(answer.body, response)
  await answer.body?.cancel()
  response.end()
}

async function pipe(
  body: ReadableStream<Uint8Array>,
  response: ServerResponse & { flush?: () => void },
): Promise<void> {
  const reader = body.getReader()
  // Also while nothing is sent: for whoever has gone nothing must be looked at.
  response.once('close', () => void reader.cancel().catch(() => {}))
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || response.destroyed) break
      const isTaken = response.write(value)
      // What compresses the answer collects it otherwise.
      response.flush?.()
      if (!isTaken) await drained(response)
    }
    response.end()
  } catch {
    // Half of an answer must not look like a whole one.
    response.destroy()
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
  })
}

/** Those of HTTP/2 are there, too: it has the host in one of its own, whose names begin with a colon. */
function headersOf({ headers: given }: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value = []] of Object.entries(given))
    if (!name.startsWith(':')) headers.set(name, String(value))
  const authority = given[':authority']
  if (authority !== undefined && !headers.has('host')) headers.set('host', String(authority))
  return headers
}

/** The body, which a parser of the framework may have read before: as an object, a text or bytes. */
async function bodyOf(request: NodeRequest, body: unknown): Promise<unknown> {
  if (typeof body === 'string') return parsed(body)
  if (body instanceof Uint8Array) return parsed(Buffer.from(body).toString())
  // Some frameworks have an object there also where they have read nothing.
  if (request.readableEnded && body !== undefined) return body
  return parsed(await textWithin(request as AsyncIterable<Buffer>))
}
