import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { task } from '#define'
import type { ClaimedTask } from '#claimed-task'
import { taskFinished } from '#signals'
import { Leases } from '#leases'
import type { ClaimedRow, Held, Outcome, OutcomeAnswer, Renewed, Store } from '#lib/store'
import { type LiveStage, MOVES } from '#stages'
import { TaskPool } from '#task-pool'
import { DoNotRetry, LeaseLost } from '../../../lib/errors/run-errors'
import { ManualClock, settled } from '../../support/manual-clock'
import { catchLog } from '../../support/tasks'

const REFUSED = { exceptionClassPath: 'typeorm_tasks.OutcomeRefused', traceback: 'too long\n' }
const CANCELLED = 'typeorm_tasks.TaskCancelled'
const LIVE = Object.keys(MOVES).filter((stage): stage is LiveStage => stage !== 'gone')

interface Run {
  readonly signal: AbortSignal
  readonly resolve: (value: string) => void
  readonly reject: (error: Error) => void
}

/** Runs that go on, by the ids of their rows. */
const runs = new Map<string, Run>()
const retried = { takesContext: true, retry: { maxAttempts: 2, delay: 0 } } as const
const gated = (context: { signal: AbortSignal; taskResult: { id: string } }): Promise<string> =>
  new Promise((resolve, reject) =>
    runs.set(context.taskResult.id, { signal: context.signal, resolve, reject }),
  )
export const kinds = [
  task('model.plain', gated, retried),
  task('model.limited', gated, { ...retried, timeLimit: 5_000 }),
  task('model.transactional', gated, { ...retried, transactional: true }),
]

interface DatabaseRow {
  status: 'RUNNING' | Outcome['status']
  claims: number
  isCancelled: boolean
  /** Somebody else has locked it, so that an outcome must wait. */
  isLocked?: boolean
  /** No return value can be stored in it. */
  takesNoValue?: boolean
}

/** The rows as a database would have them: the fence, and nothing else. */
export class Database {
  readonly rows = new Map<string, DatabaseRow>()

  holds({ key, claims }: Held): boolean {
    const row = this.rows.get(key)
    return row?.status === 'RUNNING' && row.claims === claims
  }

  /** It is kept if the row says so now; also if it did before. */
  finish(outcome: Outcome): OutcomeAnswer {
    const row = this.rows.get(outcome.key)
    if (!row || row.claims !== outcome.claims) return 'refused'
    if (row.status !== 'RUNNING') return row.status === outcome.status ? 'kept' : 'refused'
    if (row.isLocked) return 'later'
    if (row.isCancelled && !isCancellation(outcome)) return 'refused'
    const { key, claims } = outcome
    const stored: Outcome =
      row.takesNoValue && outcome.status === 'SUCCESSFUL'
        ? { key, claims, status: 'FAILED', error: REFUSED }
        : outcome
    row.status = stored.status
    return stored === outcome ? 'kept' : stored
  }

  renew(rows: readonly Held[]): Renewed {
    return {
      lost: rows
        .filter((row) => !this.holds(row))
        .map((row) => ({ ...row, claimsNow: this.rows.get(row.key)?.claims ?? 0 })),
      cancelled: rows.filter((row) => this.holds(row) && this.rows.get(row.key)!.isCancelled),
      unknown: [],
    }
  }

  release(row: Held): void {
    if (this.holds(row) && !this.rows.get(row.key)!.isCancelled)
      this.rows.get(row.key)!.status = 'READY'
  }
}

export function isCancellation(outcome: Outcome): boolean {
  return outcome.status === 'FAILED' && outcome.error.exceptionClassPath === CANCELLED
}

class Transacting extends DummyBackend {
  readonly commits = new Map<string, () => void>()
  readonly #database: Database

  constructor(database: Database) {
    super('default', { queues: [], options: {} })
    this.#database = database
  }

  override async completeInTransaction(work: (manager: never) => Promise<Outcome>): Promise<void> {
    const outcome = await work({} as never)
    await new Promise<void>((resolve) => this.commits.set(outcome.key, resolve))
    this.commits.delete(outcome.key)
    if (this.#database.finish(outcome) !== 'kept') throw new LeaseLost()
  }
}

interface PendingExchange {
  readonly sent: ClaimedTask[]
  readonly outcomes: Outcome[]
  answers?: OutcomeAnswer[]
}

interface PendingRenewal {
  readonly rows: readonly Held[]
  /** What the database said; undefined while the statement is on its way to it. */
  said?: Renewed
  readonly resolve: (renewed: Renewed) => void
  readonly reject: (error: Error) => void
}

/** A pool and its leases, over a database that answers when it is told to. */
export class Ground {
  readonly size: number
  readonly clock = new ManualClock()
  readonly database = new Database()
  readonly pool: TaskPool
  readonly leases: Leases
  readonly tasks: ClaimedTask[] = []
  readonly lines = catchLog()
  readonly renewals: PendingRenewal[] = []
  /** Those that are under way. */
  readonly exchanges: PendingExchange[] = []
  readonly #backend = new Transacting(this.database)
  readonly #fates = new Map<string, string[]>()
  readonly #toldCancelled = new Set<string>()
  readonly #committed = new Set<string>()
  readonly #disconnect: () => void

  constructor(size: number) {
    this.size = size
    setClock(this.clock)
    runs.clear()
    this.pool = new TaskPool(this.#backend, size, null, 3)
    const hear = this.pool.hear.bind(this.pool)
    this.pool.hear = (each, answer) => {
      if (answer.isCancelled && !answer.lost) this.#toldCancelled.add(each.row.key)
      hear(each, answer)
    }
    this.leases = new Leases(
      { leaseSeconds: 30, renew: this.#renew } as unknown as Store,
      this.pool,
    )
    this.#disconnect = taskFinished.connect(({ result }) => {
      if (this.database.rows.get(result.id)?.status !== result.status)
        throw new Error(`${result.id} is announced as ${result.status}, and is not that`)
    })
  }

  close(): void {
    this.#disconnect()
    setClock()
  }

  readonly #renew = (rows: readonly Held[]): Promise<Renewed> =>
    new Promise((resolve, reject) => this.renewals.push({ rows, resolve, reject }))

  claim(kind: number, count: number): void {
    const rows = Array.from({ length: count }, () => this.#row(kinds[kind % kinds.length]!.name))
    for (const { key } of rows)
      this.database.rows.set(key, { status: 'RUNNING', claims: 1, isCancelled: false })
    const before = new Set(this.pool.at('waiting'))
    this.pool.take(rows, this.clock.now())
    this.tasks.push(...this.pool.at('waiting').filter((each) => !before.has(each)))
  }

  #row(taskName: string): ClaimedRow {
    const id = `row-${this.tasks.length}-${this.database.rows.size}-${Math.random()}`
    const values = {
      id,
      taskName,
      args: [],
      kwargs: {},
      status: 'RUNNING' as const,
      priority: 0,
      enqueuedAt: new Date(0),
      startedAt: new Date(1),
      finishedAt: null,
      runAfter: null,
      queueName: 'default',
      backend: 'default',
      workerIds: ['w-1'],
      errors: [],
      returnValue: null,
      progress: null,
    }
    return { key: id, claims: 1, values, malformed: null, cancelled: false, options: {} }
  }

  /** Ends one of the runs that go on. */
  end(at: number, how: 'success' | 'retry' | 'failure' | 'obey'): void {
    const ids = [...runs.keys()]
    const id = ids[at % ids.length]!
    const run = runs.get(id)!
    runs.delete(id)
    if (how === 'success') run.resolve('done')
    else if (how === 'obey' && run.signal.aborted) run.reject(run.signal.reason as Error)
    else run.reject(how === 'failure' ? new DoNotRetry('no') : new RangeError('again'))
  }

  get running(): number {
    return runs.size
  }

  get committing(): number {
    return this.#backend.commits.size
  }

  commit(at: number): void {
    const all = [...this.#backend.commits]
    const [key, go] = all[at % all.length]!
    const task = this.tasks.find(({ row }) => row.key === key)!
    if (this.database.holds(task.row) && !this.database.rows.get(key)!.isCancelled)
      this.#committed.add(key)
    go()
  }

  send(): void {
    const sent = this.pool.send()
    expect(sent.every(({ stage }) => stage === 'sent')).toBe(true)
    const outcomes = sent.map(({ outcome }) => outcome)
    for (const outcome of outcomes)
      if (this.#toldCancelled.has(outcome.key) && !this.#committed.has(outcome.key))
        expect(isCancellation(outcome)).toBe(true)
    this.exchanges.push({ sent, outcomes })
  }

  apply(at = 0): void {
    const exchange = this.exchanges[at % this.exchanges.length]!
    exchange.answers ??= exchange.outcomes.map((each) => this.database.finish(each))
  }

  answer(at = 0): void {
    this.apply(at)
    const [exchange] = this.exchanges.splice(at % this.exchanges.length, 1)
    const { sent, answers } = exchange!
    const stillSent = new Set(this.pool.at('sent'))
    for (const [i, each] of sent.entries())
      if (!['refused', 'later'].includes(answers![i] as string) && stillSent.has(each))
        this.#fate(each.row, 'stored')
    this.pool.settle(sent, answers!)
    this.pool.take([], this.clock.now())
  }

  fail(at = 0): void {
    const [exchange] = this.exchanges.splice(at % this.exchanges.length, 1)
    this.pool.pause(exchange!.sent)
  }

  answerRenewal(at: number): void {
    const [renewal] = this.renewals.splice(at % this.renewals.length, 1)
    renewal!.said ??= this.database.renew(renewal!.rows)
    renewal!.resolve(renewal!.said)
  }

  giveBackUnstarted(): void {
    this.#release(this.pool.unstarted())
  }

  async abandon(): Promise<void> {
    const { rows, killed } = this.pool.abandon()
    await killed
    this.#release(rows)
  }

  #release(rows: readonly ClaimedRow[]): void {
    for (const row of rows) {
      this.#fate(row, 'given back')
      this.database.release(row)
    }
  }

  #fate({ key }: Held, fate: string): void {
    this.#fates.set(key, [...(this.#fates.get(key) ?? []), fate])
  }

  /** What must hold at any time. */
  check(): void {
    const lists = LIVE.map((stage) => [stage, this.pool.at(stage)] as const)
    const all = lists.flatMap(([, each]) => each)
    expect(new Set(all).size).toBe(all.length)
    expect(this.pool.busy).toBe(all.length)
    for (const [stage, each] of lists)
      expect([stage, ...each.map((one) => one.stage)]).toEqual([stage, ...each.map(() => stage)])
    expect(this.tasks.filter(({ stage }) => stage !== 'gone')).toHaveLength(all.length)
    const active = this.pool.at('running').length + this.pool.at('committing').length
    expect(active).toBeLessThanOrEqual(this.size)
    expect(this.pool.free).toBe(this.size - active - this.pool.at('waiting').length)
    expect(this.pool.at('waiting')).toEqual(this.tasks.filter(({ stage }) => stage === 'waiting'))
    for (const { row } of this.tasks)
      expect((this.#fates.get(row.key) ?? []).length).toBeLessThanOrEqual(1)
  }

  /** From now on everything answers: nothing may be held for ever, and each row must have come to one end. */
  async finish(): Promise<void> {
    for (const row of this.database.rows.values()) if (row.isLocked) row.isLocked = false
    for (let round = 0; this.pool.busy > 0 && round < 20 + 4 * this.tasks.length; round++) {
      while (this.exchanges.length > 0) this.answer()
      while (this.renewals.length > 0) this.answerRenewal(0)
      this.pool.start()
      await settled()
      while (this.running > 0) this.end(0, 'success')
      await settled()
      while (this.committing > 0) {
        this.commit(0)
        await settled()
      }
      if (this.pool.at('deferred').length > 0) await this.clock.advance(250)
      await settled()
      if (this.pool.ended > 0) this.send()
      else if (this.renewals.length === 0) void this.leases.renewAll()
      this.check()
    }
    const stuck = this.tasks.filter(({ stage }) => stage !== 'gone')
    if (stuck.length > 0)
      throw new Error(`held for ever: ${stuck.map(({ stage }) => stage).join(', ')}`)
    await this.abandon()
    for (const { row, name } of this.tasks) this.#hasEnded(row, name)
  }

  /** It was stored, given back, or lost; a row that still has our claim has been given up knowingly. */
  #hasEnded(row: ClaimedRow, name: string): void {
    const overdue = this.lines.some(([, line]) => line.startsWith(`${name}: lease not renewed`))
    const fates = this.#fates.get(row.key) ?? []
    const isOurs = this.database.holds(row)
    const isCancelled = this.database.rows.get(row.key)?.isCancelled === true
    if (fates.length === 0 && (overdue || !isOurs)) return
    if (fates.length === 1 && !(isOurs && !isCancelled && !overdue)) return
    throw new Error(`${name} came to [${fates.join(', ')}]${isOurs ? ', and is RUNNING' : ''}`)
  }
}
