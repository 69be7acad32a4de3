import type { Failed, Problem } from '../../api/wire'
import { WORDS } from '../words'
import { authorization } from './token'

/** What the server refused, or why it was not reached: `status` 0. */
export class Refused extends Error {
  readonly status: number
  readonly problem: Problem

  constructor(status: number, problem: Problem) {
    super(problem.message)
    this.status = status
    this.problem = problem
  }
}

/** @throws Refused */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return valueOf<T>(await ask(path, { signal: signal ?? null }))
}

/** @throws Refused */
export async function post<T>(path: string, body: unknown): Promise<T> {
  return valueOf<T>(await ask(path, sent(body)))
}

/** The values of an answer that comes line by line. @throws Refused */
export async function* postLines<T>(
  path: string,
  body: unknown,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const answer = await ask(path, { ...sent(body), signal })
  for await (const line of piecesOf(answer, '\n')) if (line !== '') yield JSON.parse(line) as T
}

type Asking = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

/** Addresses are relative to the page, wherever that is mounted. @throws Refused */
export async function ask(path: string, init: Asking): Promise<Response> {
  const headers = { ...authorization(), ...init.headers }
  const answer = await fetch(`api/1/${path}`, { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error
    throw new Refused(0, { message: WORDS.serverAway })
  })
  if (answer.ok) return answer
  const failed = (await answer.json().catch(() => null)) as Partial<Failed> | null
  throw new Refused(answer.status, failed?.error ?? { message: WORDS.answered(answer.status) })
}

/** What comes of a body, cut where the separator stands. */
export async function* piecesOf(answer: Response, separator: string): AsyncGenerator<string> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!reader) return
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      const pieces = (text + value).split(separator)
      text = pieces.pop() ?? ''
      yield* pieces
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
  if (text !== '') yield text
}

/** Why something failed, in words to show. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refused) return error.problem
  return { message: error instanceof Error ? error.message : String(error) }
}

function sent(body: unknown): Asking {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Tasks': '1' },
    body: JSON.stringify(body),
  }
}

async function valueOf<T>(answer: Response): Promise<T> {
  try {
    return (await answer.json()) as T
  } catch {
    throw new Refused(answer.status, { message: WORDS.noJson })
  }
}
