import type { Handler } from '../handler'
import { parsed, textWithin } from './body'

/** For what has Request and Response. */
export function fetchAdapter(handler: Handler): (request: Request) => Promise<Response> {
  return async (request) => {
    const answer = await handler.answer({
      method: request.method,
      url: request.url,
      headers: request.headers,
      remoteAddress: null,
      localAddress: null,
      httpVersion: null,
      body: async () => parsed(request.body ? await textWithin(request.body) : ''),
      native: request,
    })
    if (request.method !== 'HEAD') return answer
    await answer.body?.cancel()
    return new Response(null, answer)
  }
}
