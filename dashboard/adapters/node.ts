import type { IncomingMessage, ServerResponse } from 'node:http'
import { UsageError } from '../../index'
import type { Handler, Incoming } from '../handler'

/** The most bytes of a body. */
const MOST_BYTES = 64 * 1024

/** What frameworks add to a request of Node: the path before they cut it, and a body that they have read. */
export interface NodeRequest extends IncomingMessage {
  readonly originalUrl?: string | undefined
  readonly body?: unknown
}

/** For node:http, Express, Connect, and Nest on either platform. */
export function nodeAdapter(
  handler: Handler,
): (request: NodeRequest, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const answer = await handler.answer(incomingOf(request))
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    const body = Buffer.from(await answer.arrayBuffer())
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}

function incomingOf(request: NodeRequest): Incoming {
  const { socket, method = 'GET' } = request
  return {
    method,
    url: request.originalUrl ?? request.url ?? '/',
    headers: headersOf(request),
    remoteAddress: socket.remoteAddress ?? null,
    localAddress: socket.localAddress ?? null,
    body: async () => parsed(await textOf(request)),
    native: request,
  }
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(headersDistinct))
    for (const value of values) headers.append(name, value)
  return headers
}

/** The body, which a parser of the framework may have read before: as an object, a text or bytes. */
async function textOf(request: NodeRequest): Promise<string> {
  const { body } = request
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Buffer.from(body).toString()
  if (request.readableEnded && body !== undefined) return JSON.stringify(body)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MOST_BYTES)
      throw new UsageError(
        `The body has more than ${MOST_BYTES} bytes.`,
        'Name fewer tasks at once.',
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new UsageError('The body is no JSON.', 'Send { "ids": […] }.')
  }
}
