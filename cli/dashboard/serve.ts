import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { isIP } from 'node:net'
import { nodeAdapter, type NodeRequest } from '../../dashboard/adapters/node'
import { madeOf } from '../../dashboard/make'
import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import { listen } from '../http/listen'
import { leave } from '../output'
import { SIGNALS } from '../process/self'
import { finished } from '../unfinished'
import { carries } from './token'

export { newToken, tokenIn } from './token'
export { openBrowser } from './open-browser'

/** Time in ms in which two SIGINTs are one: npm passes on the Ctrl+C that its child has had. */
const NPM_REPEAT_MS = 500
/** Time in ms for requests to end. */
const CLOSE_MS = 1_000

export interface Serving {
  readonly host: string
  readonly port: number
  readonly token: string
  readonly isReadOnly: boolean
}

/** A page that is served. */
export interface Served {
  readonly url: string
  /** Resolves when a signal has ended it. */
  readonly ended: Promise<void>
}

const NO_TOKEN = {
  status: 401,
  message: 'Open the page by the link that `npx tasks dashboard` has printed: it holds the token.',
  // Not Basic, for which browsers ask for a name and a password.
  headers: { 'WWW-Authenticate': 'Bearer realm="Tasks"' },
} as const

/** @throws UsageError if the port is taken, or the host is none of this machine. */
export async function servePage({ host, port, token, isReadOnly }: Serving): Promise<Served> {
  const authorize = ({ headers }: NodeRequest) => {
    if (!carries(headers.authorization, token)) return null
    return isReadOnly ? (['view', 'values'] as const) : 'all'
  }
  const { handler, close } = madeOf({ authorize }, NO_TOKEN)
  const answer = nodeAdapter(handler)
  const server = createServer((request, response) => void answer(request, response))
  const url = await listen(server, { port, host, portOption: '--port', hostOption: '--host' })
  const ended = signalled().then(() => ending(server, close))
  return { url: `${url}/`, ended }
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Resolves at the first signal to end. A second Ctrl+C ends the process at once. */
function signalled(): Promise<void> {
  let at: number | undefined
  return new Promise((resolve) => {
    for (const signal of SIGNALS)
      process.on(signal, () => {
        const isAgain = at !== undefined && clock.now() - at > NPM_REPEAT_MS
        if (signal === 'SIGINT' && isAgain) {
          finished()
          leave(130)
        }
        if (at !== undefined) return
        at = clock.now()
        log.info(`Received ${signal}: the dashboard ends.`)
        resolve()
      })
  })
}

async function ending(server: Server, close: () => Promise<void>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // Open pages hold a request each, which this ends.
  await close()
  server.closeIdleConnections()
  const late = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
  await closed
  clearTimeout(late)
}
