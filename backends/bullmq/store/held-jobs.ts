import type { ClaimedRow, Held } from '../../../lib/store'

/** A claim of this store: what its outcome needs. */
export interface HeldJob extends Held {
  /** BullMQ's name of its queue. */
  readonly queue: string
  /** What the job's lock says while the claim holds it. */
  readonly token: string
  /** Those before this claim, and its own. */
  readonly workerIds: readonly string[]
  /** The unique key with which it was added. */
  readonly uniqueKey: string | undefined
}

/** What the lock of a claim says once somebody has asked for the end of its job: then no other outcome is taken. */
export function cancelledToken(token: string): string {
  return `${token}!`
}

/** The token of a claim, of what a lock says; undefined: the lock is another program's. */
export function tokenIn(lock: string): string | undefined {
  return /^([0-9a-f-]{36}:\d+)!?$/.exec(lock)?.[1]
}

/** The claims of a store, and the tokens that it gives them. */
export class HeldJobs {
  /** No other store has it. */
  readonly #storeId: string
  readonly #jobs = new Map<string, HeldJob>()
  /** Of claims whose answer is on its way. */
  readonly #sent = new Set<string>()
  #tokens = 0

  constructor(storeId: string) {
    this.#storeId = storeId
  }

  /** A token for the next claim, until `answered`. */
  newToken(): string {
    const token = `${this.#storeId}:${(this.#tokens += 1)}`
    this.#sent.add(token)
    return token
  }

  answered(token: string): void {
    this.#sent.delete(token)
  }

  add(row: ClaimedRow, job: Pick<HeldJob, 'queue' | 'token' | 'uniqueKey'>): HeldJob {
    const { key, claims, values } = row
    const held = { key, claims, workerIds: values.workerIds, ...job }
    this.#jobs.set(nameOf(held), held)
    return held
  }

  get(held: Held): HeldJob | undefined {
    return this.#jobs.get(nameOf(held))
  }

  delete(held: Held): void {
    this.#jobs.delete(nameOf(held))
  }

  /** What the locks of this store begin with. */
  get lockPrefix(): string {
    return `${this.#storeId}:`
  }

  /** Whether a lock of this store is of a claim that it knows, or will know. */
  knows(lock: string): boolean {
    const token = tokenIn(lock) ?? ''
    return this.#sent.has(token) || [...this.#jobs.values()].some((job) => job.token === token)
  }
}

function nameOf({ key, claims }: Held): string {
  return `${key} ${claims}`
}
