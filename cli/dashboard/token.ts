import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { UsageError } from '../../lib/errors/errors'

const BYTES = 32
const SHORTEST = 20

export function newToken(): string {
  return randomBytes(BYTES).toString('base64url')
}

/** The token in a file. @throws UsageError if it cannot be read, or is too short. */
export function tokenIn(file: string): string {
  const token = textOf(file).trim()
  if (token.length < SHORTEST || !/^[\w.~+/=-]+$/.test(token))
    throw new UsageError(
      `argument --token-file: ${file} holds no token.`,
      `Write one line of at least ${SHORTEST} letters and digits into it, such as \`openssl rand -hex 32\` gives.`,
    )
  return token
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new UsageError(
      `argument --token-file: ${file} cannot be read (${why}).`,
      'Name a file that this user may read.',
      { cause: error },
    )
  }
}

/** Whether a header carries the token. In a time that tells nothing of how much of it is right. */
export function carries(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
