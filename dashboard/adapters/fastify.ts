import type { ServerResponse } from 'node:http'
import type { Handler } from '../handler'
import { type NodeRequest, incomingOf, send } from './node'

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
    const answer = await handler.answer(incomingOf(raw, body, request))
    await send(raw, reply.raw, answer, handler.isClosed)
  }
}
