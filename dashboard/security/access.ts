import { InvalidSettingsError } from '../../index'

/**
 * What somebody may do: see tasks, queues and workers (`view`), also arguments, results and tracebacks (`values`); have
 * FAILED tasks run again (`retry`), stop tasks (`cancel`), run schedules and copies of tasks now and set priorities (`run`), delete tasks
 * (`delete`), pause and resume queues (`queues`).
 */
export type Permission = 'view' | 'values' | 'retry' | 'cancel' | 'run' | 'delete' | 'queues'

/** All of them, some, that somebody has to log in first (401), or that there is nothing here for them (404). */
export type Granted = 'all' | readonly Permission[] | 'login' | null

export const PERMISSIONS: readonly Permission[] = [
  'view',
  'values',
  'retry',
  'cancel',
  'run',
  'delete',
  'queues',
]

/** Who asks, as far as their connection tells. Addresses are those of the socket; null: not known. */
export interface Caller {
  readonly headers: Headers
  readonly remoteAddress: string | null
  readonly localAddress: string | null
  /** Such as '1.1'; null: not known. */
  readonly httpVersion: string | null
}

/** An answer in the place of the one that was asked for. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 415 | 503
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

export const CLOSED: Refusal = { status: 503, message: 'The dashboard is closed.' }

/** A request is answered so. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/** What is refused for want of a permission. */
export function lacking(permission: Permission): Refusal {
  return {
    status: 403,
    message: `You may not do this: authorize did not give you the permission "${permission}".`,
  }
}

/** What `authorize` has granted. @throws InvalidSettingsError for what is neither of the answers. */
export function accessOf(granted: Granted): ReadonlySet<Permission> | Refusal {
  if (granted === 'all') return new Set(PERMISSIONS)
  if (granted === 'login') return LOGIN
  if (granted === null) return NOTHING_HERE
  if (!Array.isArray(granted)) throw badGrant(granted)
  const strangers = granted.filter((name) => !PERMISSIONS.includes(name as Permission))
  if (strangers.length > 0) throw badGrant(strangers[0])
  const access = new Set(granted as Permission[])
  // Whoever may not look has nothing here, whatever else is in the list.
  return access.has('view') ? access : NOTHING_HERE
}

function badGrant(found: unknown): InvalidSettingsError {
  return new InvalidSettingsError(
    `authorize of the dashboard gave ${JSON.stringify(found)}.`,
    `${found === undefined ? 'Does it lack a return? ' : ''}Give 'all', a list of ${PERMISSIONS.join(', ')}, 'login', or null.`,
  )
}

const NOTHING_HERE: Refusal = { status: 404, message: 'Not found' }
const LOGIN: Refusal = {
  status: 401,
  message: 'Log in first',
  headers: { 'WWW-Authenticate': 'Basic realm="Tasks", charset="UTF-8"' },
}

/**
 * Whether everything is open where nobody has said who may do what: only to the developer at this machine. A proxy on this
 * machine that serves others adds a header, or speaks HTTP/1.0 as nginx does unless told otherwise, which no browser does; or
 * it passes on where the page came from. A page of another site that has its name point here sends that name as host.
 */
export function openAccess(caller: Caller, environment: string | undefined): Refusal | null {
  const isHere =
    environment !== 'production' &&
    isLoopback(caller.remoteAddress) &&
    isLoopback(caller.localAddress) &&
    isLocalHost(caller.headers.get('host')) &&
    caller.httpVersion !== '1.0' &&
    !FORWARDING.some((name) => caller.headers.has(name)) &&
    ['origin', 'referer'].every((name) => isLocalAddress(caller.headers.get(name)))
  return isHere ? null : NOT_SET_UP
}

const NOT_SET_UP: Refusal = {
  status: 403,
  message:
    "The dashboard is closed: nobody has said who may see it. Give it authorize, e.g. dashboard({ authorize: (request) => (request.user?.isAdmin ? 'all' : null) }).",
}

const FORWARDING = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-host',
  'x-request-start',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'via',
]

/** Also where there is none: not every request says where it comes from. */
function isLocalAddress(address: string | null): boolean {
  if (address === null) return true
  return URL.canParse(address) && isLocalHost(new URL(address).host)
}

function isLoopback(address: string | null): boolean {
  if (address === null) return false
  const plain = address.replace(/^::ffff:/i, '')
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain)
}

function isLocalHost(host: string | null): boolean {
  return /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?$/i.test(host ?? '')
}
