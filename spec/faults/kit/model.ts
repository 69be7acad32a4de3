import type { Outcome } from '#lib/store'

/** A claim that a worker has, or believes to have. */
export interface Handle {
  readonly row: number
  readonly claims: number
}

/** What happens to rows; workers and handles are counted, and wrap round. */
export type Step =
  | { readonly do: 'claim'; readonly worker: number; readonly room: number }
  | {
      readonly do: 'complete' | 'fail' | 'retry' | 'endAsCancelled'
      readonly worker: number
      readonly handle: number
    }
  | { readonly do: 'renew' | 'release' | 'crash' | 'stall' | 'reap'; readonly worker: number }
  | { readonly do: 'expire' | 'cancel'; readonly row: number }

export interface ModelRow {
  status: Outcome['status'] | 'RUNNING'
  claims: number
  attempts: number
  errors: string[]
  error: string
  /** There is a lease: a claim of ours holds it. */
  isHeld: boolean
  isExpired: boolean
  isCancelled: boolean
}

export const LOST = 'typeorm_tasks.WorkerLost'
export const CANCELLED = 'typeorm_tasks.TaskCancelled'
export const MAX_CRASHES = 3

/** What a store must do, in a few lines: the reference that real stores are held against. */
export class Model {
  /** The row with the lower number is claimed first. */
  readonly rows: ModelRow[]
  readonly handles: Handle[][]

  constructor(rows: number, workers: number) {
    this.rows = Array.from({ length: rows }, () => ({
      status: 'READY',
      claims: 0,
      attempts: 0,
      errors: [],
      error: '',
      isHeld: false,
      isExpired: false,
      isCancelled: false,
    }))
    this.handles = Array.from({ length: workers }, () => [])
  }

  copy(): Model {
    const copy = new Model(0, 0)
    copy.rows.push(...structuredClone(this.rows))
    copy.handles.push(...structuredClone(this.handles))
    return copy
  }

  handle(worker: number, at: number): Handle | undefined {
    const handles = this.handles[worker] ?? []
    return handles[at % Math.max(1, handles.length)]
  }

  /** Does the step and gives the answer that the store must give. */
  take(step: Step): unknown {
    switch (step.do) {
      case 'claim':
        return this.#claim(step.worker, step.room)
      case 'complete':
        return this.#finish(step, { status: 'SUCCESSFUL', error: '' })
      case 'fail':
        return this.#finish(step, { status: 'FAILED', error: 'RangeError' })
      case 'retry':
        return this.#finish(step, { status: 'READY', error: 'RangeError' })
      case 'endAsCancelled':
        return this.#finish(step, { status: 'FAILED', error: CANCELLED })
      case 'renew':
        return this.#renew(this.handles[step.worker]!)
      case 'release':
        return this.handles[step.worker]!.filter((handle) => this.#release(handle)).length
      case 'crash':
        return void (this.handles[step.worker]!.length = 0)
      case 'stall':
        return this.handles[step.worker]!.forEach(
          (handle) => this.#isFenced(handle) && (this.rows[handle.row]!.isExpired = true),
        )
      case 'expire':
        return void (this.rows[step.row]!.isExpired = this.rows[step.row]!.isHeld)
      case 'cancel':
        return this.#cancel(this.rows[step.row]!)
      case 'reap':
        return this.#reap()
    }
  }

  #claim(worker: number, room: number): Handle[] {
    const ready = this.rows
      .map((row, at) => ({ row, at }))
      .filter(({ row }) => row.status === 'READY')
      .slice(0, room)
    const claimed = ready.map(({ row, at }) => {
      Object.assign(row, {
        status: 'RUNNING',
        claims: row.claims + 1,
        attempts: row.attempts + 1,
        isHeld: true,
        isExpired: false,
      })
      return { row: at, claims: row.claims }
    })
    this.handles[worker]!.push(...claimed)
    return claimed
  }

  #isFenced({ row, claims }: Handle): boolean {
    const { status, claims: current, isHeld } = this.rows[row]!
    return status === 'RUNNING' && isHeld && current === claims
  }

  /** Whether the row now says so; what stands already counts. */
  #finish(
    { worker, handle: at }: { worker: number; handle: number },
    { status, error }: { status: Outcome['status']; error: string },
  ): boolean | undefined {
    const handle = this.handle(worker, at)
    if (!handle) return undefined
    const row = this.rows[handle.row]!
    const last = status === 'READY' ? '' : error
    if (!this.#isFenced(handle) || (row.isCancelled && error !== CANCELLED))
      return (
        row.claims === handle.claims && row.status === status && !row.isHeld && row.error === last
      )
    if (status === 'READY') row.errors.push(error)
    this.#end(row, status, last)
    return true
  }

  #end(row: ModelRow, status: Outcome['status'], error: string): void {
    Object.assign(row, { status, error, isHeld: false, isExpired: false, isCancelled: false })
  }

  /** Late renewals count, as long as nobody else has the row. */
  #renew(handles: readonly Handle[]): unknown {
    const held = handles.filter((handle) => this.#isFenced(handle))
    for (const { row } of held) this.rows[row]!.isExpired = false
    return {
      lost: handles.filter((handle) => !held.includes(handle)),
      cancelled: held.filter(({ row }) => this.rows[row]!.isCancelled),
    }
  }

  #release(handle: Handle): boolean {
    const row = this.rows[handle.row]!
    if (!this.#isFenced(handle) || row.isCancelled) return false
    row.attempts--
    this.#end(row, 'READY', '')
    return true
  }

  #cancel(row: ModelRow): void {
    if (row.status === 'READY') this.#end(row, 'FAILED', CANCELLED)
    else if (row.isHeld) row.isCancelled = true
  }

  #reap(): unknown {
    const expired = this.rows.filter(({ isExpired }) => isExpired)
    for (const row of expired) {
      const crashes = 1 + row.errors.filter((error) => error === LOST).length
      if (row.isCancelled) this.#end(row, 'FAILED', CANCELLED)
      else if (crashes >= MAX_CRASHES) this.#end(row, 'FAILED', LOST)
      else {
        row.errors.push(LOST)
        this.#end(row, 'READY', '')
      }
    }
    const at = (status: string): number[] =>
      expired.filter((row) => row.status === status).map((row) => this.rows.indexOf(row))
    return { released: at('READY'), failed: at('FAILED') }
  }
}
