/** What the server says of a task in a list. Instants are ISO 8601 in UTC. */
export interface Listed {
  readonly id: string
  readonly task: string
  readonly status: Status
  readonly isWaiting: boolean
  readonly attempts: number
  readonly progress: Progress | null
  readonly priority: number
  readonly queueName: string
  readonly backend: string
  readonly enqueuedAt: string | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly runAfter: string | null
  readonly error: string | null
}

export interface Whole extends Omit<Listed, 'error'> {
  readonly args: unknown
  readonly kwargs: unknown
  readonly returnValue: unknown
  readonly workerIds: readonly string[]
  readonly errors: readonly { readonly exceptionClassPath: string; readonly traceback: string }[]
}

export const STATUSES = ['READY', 'RUNNING', 'FAILED', 'SUCCESSFUL'] as const
export type Status = (typeof STATUSES)[number]

export interface Progress {
  readonly done: number
  readonly total: number | null
  readonly note: string | null
}

export interface Page {
  readonly tasks: readonly Listed[]
  readonly next: string | null
}

export interface Overview {
  readonly within: number
  readonly backends: readonly {
    readonly backend: string
    readonly counts: Readonly<Record<Status | 'WAITING', number>>
  }[]
}

export interface Changed {
  readonly changed: readonly string[]
  readonly refused: readonly { readonly id: string; readonly message: string }[]
}

/** What the server refused, in its own words. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string, hint = '') {
    super(`${message} ${hint}`.trim())
    this.status = status
  }
}

/** Addresses are relative to the page, wherever that is mounted. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return read<T>(await fetch(`api/1/${path}`, { signal: signal ?? null }))
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'Content-Type': 'application/json', 'X-Tasks': '1' }
  return read<T>(
    await fetch(`api/1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
  )
}

async function read<T>(answer: Response): Promise<T> {
  const value = (await answer.json().catch(() => null)) as T & {
    readonly error?: { readonly message: string; readonly hint?: string }
  }
  if (answer.ok) return value
  throw new Refused(
    answer.status,
    value?.error?.message ?? `The server answered ${answer.status}.`,
    value?.error?.hint,
  )
}
