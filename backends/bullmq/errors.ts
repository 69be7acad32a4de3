import { NoAnswer } from '../../lib/clock'
import { DatabaseError, DatabaseUnreachableError } from '../../lib/errors/errors'
import { isA } from '../../lib/errors/error-record'
import { withoutPasswords } from '../../lib/errors/foreign-text'

/** What the network says, or ioredis of a connection that is not there, or not yet. */
const AWAY_CODES =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH)/
const AWAY_NAMES = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError'])
const AWAY_TEXT =
  /^(LOADING|CLUSTERDOWN|READONLY|MASTERDOWN|TRYAGAIN|UNBLOCKED|BUSY )|^Command timed out|^Connection is closed|^Stream isn't writeable|^All sentinels are unreachable|^connect ETIMEDOUT|^Socket closed unexpectedly|^None of startup nodes/

/** Replies of Redis that mean that its set-up is wrong, and what to do about each. */
const REFUSALS: readonly (readonly [reply: RegExp, what: string, hint: string])[] = [
  [
    /^NOAUTH/,
    'Redis wants a password',
    'Put it into OPTIONS.connection: redis://user:password@host:6379.',
  ],
  [
    /^WRONGPASS|^ERR (invalid password|AUTH <password>|Client sent AUTH)/,
    'Redis does not take the user or the password',
    'Change OPTIONS.connection: redis://user:password@host:6379; special characters in a URL as %40 and the like.',
  ],
  [
    /^NOPERM/,
    'The user of Redis may not do this',
    'Give it all commands but those of administration, on keys and channels that begin with the prefix: `ACL SETUSER name ~prefix:* &prefix:* +@all -@admin -@dangerous +info`.',
  ],
  [
    /^READONLY/,
    'Redis is a replica, which takes no writes',
    'Connect to the master: by Sentinel, by the cluster, or by the address that leads to the master.',
  ],
  [
    /^OOM/,
    'The memory of Redis is full',
    'Raise its maxmemory, or keep results for a shorter time (OPTIONS.keepResults); its maxmemory-policy must be noeviction.',
  ],
  [
    /^CROSSSLOT/,
    'Redis is a cluster, on which all keys of a backend must be on one node',
    'Write OPTIONS.prefix with braces, such as "{shop}", and OPTIONS.connection as { cluster: { nodes: […] } }.',
  ],
  [
    /^MOVED/,
    'Redis is a node of a cluster',
    'Write OPTIONS.connection as { cluster: { nodes: […] } }, and a prefix with braces, such as "{shop}".',
  ],
  [
    /^MISCONF/,
    'Redis cannot write to its disk, and takes no writes until it can',
    'Look at its log and at its disk.',
  ],
  [
    /^ERR unknown command|^ERR syntax error|Unknown Redis command/,
    'Redis does not know a command that is needed',
    'Redis 6.2 or later is needed; a service that leaves commands out must offer EVALSHA, LPOS and XADD.',
  ],
  [
    /Protocol error: (invalid bulk|too big)/,
    'Redis takes no value as large as these arguments',
    'Pass a reference to the data, or raise its proto-max-bulk-len.',
  ],
]

/** The library's own error if that of Redis means that the set-up is wrong, or that it is away; others are given back unchanged. */
export function explained(error: unknown): unknown {
  const text = textOf(error)
  const known = REFUSALS.find(([reply]) => reply.test(text))
  if (known) {
    const [, what, hint] = known
    const Kind = isAway(error) ? DatabaseUnreachableError : DatabaseError
    return new Kind(`${what}: ${text.split('\n')[0]}.`, hint, { cause: error })
  }
  if (error instanceof DatabaseError || !isAway(error)) return error
  return new DatabaseUnreachableError(
    `Redis cannot be reached: ${text.split('\n')[0]}.`,
    'Is it running, and is OPTIONS.connection right?',
    { cause: error },
  )
}

/** Whether Redis cannot be reached, or cannot answer, at present. */
export function isAway(error: unknown): boolean {
  return (
    isA(error, DatabaseUnreachableError) ||
    isA(error, NoAnswer) ||
    AWAY_CODES.test(wordOf(error, 'code')) ||
    AWAY_NAMES.has(wordOf(error, 'name')) ||
    AWAY_TEXT.test(textOf(error))
  )
}

function wordOf(error: unknown, what: 'code' | 'name'): string {
  const word = (error as Record<string, unknown> | null | undefined)?.[what]
  return typeof word === 'string' ? word : ''
}

function textOf(error: unknown): string {
  return withoutPasswords(error instanceof Error ? error.message : String(error))
}
