import { createHmac, timingSafeEqual } from 'node:crypto'
import { InvalidCallError } from '../errors/errors'
import { shown } from '../errors/suggestions'

export interface VerifyOptions {
  /** At least 32 characters. Of several the first one signs, and each of them is accepted, so that it can be changed. */
  readonly secret: string | readonly string[]
}

export interface TokenOptions extends VerifyOptions {
  /** For how long it holds, in ms. */
  readonly for: number
}

const LEAST_CHARACTERS = 32
/** A token of a task is of no use where the same secret signs other things. */
const PURPOSE = 'typeorm-tasks.task-token.1'
const LONGEST_TOKEN = 1_000
const HINT =
  'Make one with `openssl rand -base64 32`, and keep it where the app keeps its other secrets.'

/**
 * A text that lets its holder see one task for a time, and nothing else: the id and the instant of expiry, signed by
 * HMAC-SHA-256. An id alone is no permission, since ids are in logs and links. Fit for an URL.
 *
 * @throws InvalidCallError for a secret that is too short, and for a time that is none.
 */
export function taskToken({ id }: { readonly id: string }, options: TokenOptions): string {
  const [secret = ''] = secretsOf(options, 'taskToken')
  const ms: unknown = options.for
  if (typeof ms !== 'number' || !Number.isSafeInteger(Math.ceil(ms)) || ms <= 0)
    throw new InvalidCallError(
      `taskToken: expected \`for\` as a number of milliseconds above 0, got ${shown(ms)}.`,
      'Write e.g. taskToken(result, { secret, for: 3_600_000 }) for an hour.',
    )
  // The clock of web servers: no database is asked when a token is verified.
  const content = Buffer.from(`${Date.now() + Math.ceil(ms)}.${id}`).toString('base64url')
  return `${content}.${signatureOf(content, secret)}`
}

/**
 * The id of the task that a token is for; null if the token is malformed, was changed, has expired, or was signed with
 * another secret. It never throws for a token, whatever was sent in its place.
 *
 * @throws InvalidCallError for a secret that is too short.
 */
export function verifyTaskToken(token: unknown, options: VerifyOptions): string | null {
  const secrets = secretsOf(options, 'verifyTaskToken')
  if (typeof token !== 'string' || token.length > LONGEST_TOKEN) return null
  const [, content = '', signature = ''] = /^([\w-]+)\.([\w-]+)$/.exec(token) ?? []
  // As texts: the last character of another text could stand for the same bytes.
  const isOurs = secrets.some((secret) => isEqual(signature, signatureOf(content, secret)))
  return isOurs ? idIn(Buffer.from(content, 'base64url').toString()) : null
}

function idIn(content: string): string | null {
  const [, until, id] = /^(\d+)\.([^]+)$/.exec(content) ?? []
  return id !== undefined && Number(until) > Date.now() ? id : null
}

function signatureOf(content: string, secret: string): string {
  return createHmac('sha256', secret).update(`${PURPOSE}.${content}`).digest('base64url')
}

/** In a time that does not tell how much of it is right. */
function isEqual(given: string, right: string): boolean {
  return given.length === right.length && timingSafeEqual(Buffer.from(given), Buffer.from(right))
}

function secretsOf({ secret }: VerifyOptions, caller: string): readonly string[] {
  const given: readonly unknown[] = Array.isArray(secret) ? secret : [secret]
  const isSound = (each: unknown): each is string =>
    typeof each === 'string' && each.length >= LEAST_CHARACTERS
  if (given.length > 0 && given.every(isSound)) return given
  // What it is may be most of a secret: an error tells no more than its length.
  const wrong = given.find((each) => !isSound(each))
  const found =
    typeof wrong === 'string'
      ? `one of ${wrong.length}`
      : given.length === 0
        ? 'none'
        : typeof wrong
  throw new InvalidCallError(
    `${caller}: expected a secret of at least ${LEAST_CHARACTERS} characters, or a list of such, got ${found}.`,
    HINT,
  )
}
