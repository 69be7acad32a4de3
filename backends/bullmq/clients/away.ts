import { isA } from '../../../lib/errors/error-record'
import { DatabaseUnreachableError } from '../../../lib/errors/errors'
import { withoutPasswords } from '../../../lib/errors/foreign-text'
import type { Client } from './client-of-app'
import { troubleOf } from './clients'
import { unreachedNode } from './cluster-nodes'

/** Names of errors of ioredis. */
const NAMES = /^(MaxRetriesPerRequestError|ClusterAllFailedError|AbortError)$/

/** How Redis, or ioredis, says that it cannot serve at present. */
const WORDS = [
  // Its own answers: starting, without a master, full of clients, or unable to write its file.
  /^-?(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b/,
  /max number of clients reached/,
  // What ioredis says of a connection.
  /Connection is closed|Connection (is )?ended|Command timed out|Stream isn't writeable/,
  /Socket (timeout|closed unexpectedly)|Connect(ion)? timed? ?out/i,
  /Ready check failed|Cluster isn't ready|Cluster is ended|Too many Cluster redirections/,
  /None of startup nodes is available|Failed to refresh slots cache|sentinels? (are|is) unreachable/i,
]

const NETWORK_CODES =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOENT)$/

/** Whether an error says that Redis cannot be reached, or takes no writes, at present. */
export function isAway(error: unknown): boolean {
  if (isA(error, DatabaseUnreachableError)) return true
  if (typeof error !== 'object' || error === null) return false
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown }
  return (
    NAMES.test(String(name)) ||
    NETWORK_CODES.test(String(code)) ||
    WORDS.some((words) => words.test(String(message)))
  )
}

/** The library's own error for a Redis that is away, with the reason that its client has; other errors are given back unchanged. */
export function unreachable(error: unknown, client: Client, alias: string): unknown {
  if (!isAway(error) || isA(error, DatabaseUnreachableError)) return error
  const { what, cause } = reasonOf(error as Error, client)
  return new DatabaseUnreachableError(
    `Redis (TASKS.${alias}) cannot be reached: ${withoutPasswords(what).trim().replace(/\.$/, '')}.`,
    hintOfCluster(client) ?? hintFor(what),
    { cause },
  )
}

/** The same error with its reason, for a worker, which waits until Redis is back; other errors are given back unchanged. */
export function withReason(error: unknown, client: Client, alias: string): unknown {
  if (!isAway(error) || isA(error, DatabaseUnreachableError)) return error
  const { what } = reasonOf(error as Error, client)
  const told = new Error(`Redis (TASKS.${alias}): ${withoutPasswords(what).trim()}`, {
    cause: error,
  })
  // By this it is known that Redis is away.
  return Object.assign(told, { code: 'ETIMEDOUT' })
}

/** That tries ran out says nothing; why the last one failed does. */
function reasonOf(error: Error, client: Client): { what: string; cause: unknown } {
  const trouble = troubleOf(client)
  const isVague = NAMES.test(error.name) || error.message.startsWith('Connection is closed')
  if (!isVague && !(trouble && error.message.includes('timed out')))
    return { what: error.message, cause: error }
  const cause = innermost(trouble ?? error)
  const what = cause === error ? 'the connection was cut off' : (textOf(cause) ?? error.message)
  return { what, cause: error }
}

/** Of a cluster, and of Sentinels, the error of the node that was asked last. */
function innermost(error: Error): Error {
  const { lastNodeError } = error as { lastNodeError?: unknown }
  return lastNodeError instanceof Error ? innermost(lastNodeError) : error
}

/** Several addresses of one host give an error without a message. */
function textOf(error: Error): string | undefined {
  if (error.message !== '') return error.message
  if (error instanceof AggregateError) return error.errors.map(String).join(', ')
  return (error as NodeJS.ErrnoException).code
}

/** What fails then are commands, by reasons that do not tell of it: nodes that were given answer, those that they name do not. */
function hintOfCluster(client: Client): string | undefined {
  const node = unreachedNode(client)
  if (node === undefined) return undefined
  return `The cluster calls a node ${node}: can this host reach it by that address? If not, map it by natMap in OPTIONS.connection.cluster.options, or have the node announce another one (cluster-announce-ip, cluster-announce-port).`
}

function hintFor(what: string): string {
  if (what.startsWith('READONLY'))
    return 'It is a replica: give OPTIONS.connection the Sentinels, or the address of the master.'
  if (what.startsWith('LOADING')) return 'It reads its file after a start: wait for it.'
  if (what.startsWith('MISCONF'))
    return 'It cannot write its file: look into its log, and at the space on its disk.'
  if (/max number of clients/.test(what)) return "Raise Redis' maxclients, or run fewer processes."
  if (/certificate/i.test(what))
    return "Give OPTIONS.connection the certificate of who has signed Redis': { host, port, tls: { ca } }."
  if (/timed out/.test(what))
    return 'It takes connections, but does not answer: is it busy with a slow command, or stopped?'
  return 'Is it running, and are host and port of OPTIONS.connection right?'
}
