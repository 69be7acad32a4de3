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
  /** The latest claim of each job, by the id of the job. */
  readonly #jobs = new Map<string, HeldJob>()
  /** Of claims whose answer is on its way. */
  readonly #sent = new Set<Tokens>()
  #tokens = 0

  constructor(storeId: string) {
    this.#storeId = storeId
  }

  /** Tokens for so many claims, which are under way until `answered`. */
  newTokens(count: number): Tokens {
    const tokens = { storeId: this.#storeId, from: this.#tokens + 1, count }
    this.#tokens += count
    this.#sent.add(tokens)
    return tokens
  }

  answered(tokens: Tokens): void {
    this.#sent.delete(tokens)
  }

  add(row: ClaimedRow, job: Pick<HeldJob, 'queue' | 'token' | 'uniqueKey'>): HeldJob {
    const { key, claims, values } = row
    const held = { key, claims, workerIds: values.workerIds, ...job }
    this.#jobs.set(key, held)
    return held
  }

  get({ key, claims }: Held): HeldJob | undefined {
    const job = this.#jobs.get(key)
    return job?.claims === claims ? job : undefined
  }

  delete(held: Held): void {
    if (this.get(held)) this.#jobs.delete(held.key)
  }

  /** What the locks of this store begin with. */
  get lockPrefix(): string {
    return `${this.#storeId}:`
  }

  /** Whether the lock of a job, which is this store's, is of a claim that it knows, or will know. */
  knows(id: string, lock: string): boolean {
    const token = tokenIn(lock) ?? ''
    const number = Number(token.slice(this.lockPrefix.length))
    const isSent = ({ from, count }: Tokens): boolean => number >= from && number < from + count
    return this.#jobs.get(id)?.token === token || [...this.#sent].some(isSent)
  }
}

/** Tokens of claims that are sent together. */
export interface Tokens {
  readonly storeId: string
  readonly from: number
  readonly count: number
}

export function tokenOf({ storeId, from }: Tokens, index: number): string {
  return `${storeId}:${from + index}`
}
