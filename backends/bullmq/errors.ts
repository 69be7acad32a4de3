import { isA } from '../../lib/errors/error-record'
import { DatabaseError, TasksError } from '../../lib/errors/errors'
import { withoutPasswords } from '../../lib/errors/foreign-text'
import { unreachable, withReason } from './clients/away'
import type { Client } from './clients/client-of-app'

/** Redis closes the connection then; services on it only refuse. */
const TOO_LARGE = /Protocol error: (invalid bulk|too big)|max request size exceeded/i

/** Whether Redis has refused a command since a value in it is too large. */
export function isTooLarge(error: unknown): boolean {
  return TOO_LARGE.test(textOf(error))
}

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
    /^NOPERM|^ERR ACL failure/,
    'The user of Redis may not do this',
    'Give it all commands but those of administration, on keys and channels that begin with the prefix: `ACL SETUSER name ~prefix:* &prefix:* +@all -@admin -@dangerous +info`.',
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
    /^ERR unknown command|^ERR syntax error|Unknown Redis command/,
    'Redis does not know a command that is needed',
    'Redis 6.2 or later is needed; a service that leaves commands out must offer EVALSHA, LPOS and XADD.',
  ],
  [
    TOO_LARGE,
    'Redis takes no value as large as these arguments',
    'Pass a reference to the data, or raise its proto-max-bulk-len.',
  ],
]

/** The library's own error if that of Redis means that the set-up is wrong, or that it is away; others are given back unchanged. */
export function explained(error: unknown, client: Client, alias: string): unknown {
  if (isA(error, TasksError)) return error
  const refusal = refusalOf(error, alias)
  if (!refusal) return unreachable(error, client, alias)
  return new DatabaseError(refusal.what, refusal.hint, { cause: error })
}

/** The same for the log of a worker, which tries again: its own errors would end it. */
export function explainedToWorker(error: unknown, client: Client, alias: string): unknown {
  const refusal = refusalOf(error, alias)
  if (!refusal) return withReason(error, client, alias)
  return new Error(`${refusal.what} ${refusal.hint}`, { cause: error })
}

function refusalOf(error: unknown, alias: string): { what: string; hint: string } | undefined {
  const text = textOf(error)
  const known = REFUSALS.find(([reply]) => reply.test(text))
  if (!known) return undefined
  const [, what, hint] = known
  // Which script it was says nothing to a user.
  const said = withoutPasswords(text).replace(/\.? script: \w+, on @user_script:\d+/, '')
  return { what: `${what} (TASKS.${alias}): ${said.replace(/\.$/, '')}.`, hint }
}

/** What Redis says; of a transaction that it has thrown away, why. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const { previousErrors: [first] = [] } = error as { previousErrors?: readonly unknown[] }
  const { message } =
    error.message.startsWith('EXECABORT') && first instanceof Error ? first : error
  return message.split('\n')[0]?.replace(/^EXECABORT Transaction discarded because of: /, '') ?? ''
}
