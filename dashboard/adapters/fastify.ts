import type { ServerResponse } from 'node:http'
import type { Handler } from '../handler'
import { type NodeRequest, answered, incomingOf } from './node'

/** What the dashboard needs of a request of Fastify. */
export interface FastifyRequestLike {
  readonly raw: NodeRequest
  /** What Fastify has read, and its parser has made of it. */
  readonly body: unknown
}

/** What the dashboard needs of a reply of Fastify. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse
  hijack(): unknown
}

/** For Fastify: it answers by itself, so that it can send as it goes. `authorize` and `user` are handed Fastify's request. */
export function fastifyAdapter(
  handler: Handler,
): (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<void> {
  return async (request, reply) => {
    reply.hijack()
    const { raw, body } = request
    await answered(handler, raw, reply.raw, () => incomingOf(raw, body, request))
  }
}
