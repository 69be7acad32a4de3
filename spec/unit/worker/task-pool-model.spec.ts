import fc from 'fast-check'
import { ClaimedTask } from '#claimed-task'
import { TaskPool } from '#task-pool'
import { MOVES } from '#stages'
import { TaskCancelled, WorkerStops } from '../../../lib/errors/run-errors'
import { Ground, kinds } from './pool-ground'

// RUNS=10000 SEED=7 npx jest spec/unit/worker/task-pool-model
const RUNS = Number(process.env.RUNS ?? 200)
const SEED = Number(process.env.SEED ?? 20_261)
const SIZE = 2

/** All that goes on without time passing. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A step: possible or not by what is under way, and then done on the pool. */
class Step implements fc.AsyncCommand<object, Ground> {
  readonly #name: string
  readonly #isPossible: (ground: Ground) => boolean
  readonly #act: (ground: Ground) => unknown

  constructor(
    name: string,
    isPossible: (ground: Ground) => boolean,
    act: (ground: Ground) => unknown,
  ) {
    this.#name = name
    this.#isPossible = isPossible
    this.#act = act
  }

  /** Whether a step is possible depends on the runs, which the model does not have. */
  check(): boolean {
    return true
  }

  async run(_model: object, ground: Ground): Promise<void> {
    if (!this.#isPossible(ground)) return
    await this.#act(ground)
    await turn()
    ground.check()
  }

  toString(): string {
    return this.#name
  }
}

const any = fc.nat(20)
const always = (): boolean => true
const sent = ({ exchanges }: Ground): boolean => exchanges.length > 0
const asked = ({ renewals }: Ground): boolean => renewals.length > 0
const rowAt = (ground: Ground, at: number): string | undefined =>
  [...ground.database.rows.keys()].at(at % Math.max(1, ground.database.rows.size))

const step = (
  name: string,
  isPossible: (ground: Ground) => boolean,
  act: (ground: Ground, at: number) => unknown,
): fc.Arbitrary<Step> =>
  any.map((at) => new Step(`${name}(${at})`, isPossible, (ground) => act(ground, at)))

function cancel(ground: Ground, at: number): void {
  const row = ground.database.rows.get(rowAt(ground, at) ?? '')
  if (row?.status === 'RUNNING') row.isCancelled = true
}

function takeOver(ground: Ground, at: number): void {
  const row = ground.database.rows.get(rowAt(ground, at) ?? '')
  if (row?.status === 'RUNNING') row.claims++
}

function lock(ground: Ground, at: number): void {
  const row = ground.database.rows.get(rowAt(ground, at) ?? '')
  if (row) row.isLocked = !row.isLocked
}

function takeNoValue(ground: Ground, at: number): void {
  const row = ground.database.rows.get(rowAt(ground, at) ?? '')
  if (row) row.takesNoValue = true
}

/** The database sees a renewal now; its answer may come much later. */
function applyRenewal(ground: Ground, at: number): void {
  const renewal = ground.renewals[at % ground.renewals.length]!
  renewal.said ??= ground.database.renew(renewal.rows)
}

const steps = [
  step('claim', always, (ground, at) => ground.claim(at, 1 + (at % 4))),
  step('start', always, ({ pool }) => pool.start()),
  step(
    'succeed',
    ({ running }) => running > 0,
    (ground, at) => ground.end(at, 'success'),
  ),
  step(
    'succeed too',
    ({ running }) => running > 0,
    (ground, at) => ground.end(at, 'success'),
  ),
  step(
    'retry',
    ({ running }) => running > 0,
    (ground, at) => ground.end(at, 'retry'),
  ),
  step(
    'fail',
    ({ running }) => running > 0,
    (ground, at) => ground.end(at, 'failure'),
  ),
  step(
    'obey',
    ({ running }) => running > 0,
    (ground, at) => ground.end(at, 'obey'),
  ),
  step(
    'commit',
    ({ committing }) => committing > 0,
    (ground, at) => ground.commit(at),
  ),
  step(
    'send outcomes',
    (ground) => ground.exchanges.length < 2 && ground.pool.ended > 0,
    (ground) => ground.send(),
  ),
  step('apply outcomes', sent, (ground, at) => ground.apply(at)),
  step('answer outcomes', sent, (ground, at) => ground.answer(at)),
  step('lose the answer to outcomes', sent, (ground, at) => ground.fail(at)),
  step('cancel', always, cancel),
  step('cancel another', always, cancel),
  step('say that it is cancelled', always, (ground, at) =>
    ground.pool.ask(rowAt(ground, at) ?? ''),
  ),
  step('take over', always, takeOver),
  step('lock or unlock', always, lock),
  step('make it refuse a value', always, takeNoValue),
  step('delete', always, (ground, at) => ground.database.rows.delete(rowAt(ground, at) ?? '')),
  step('renew', always, ({ leases }) => void leases.renewAll()),
  step('apply a renewal', asked, applyRenewal),
  step('answer a renewal', asked, (ground, at) => ground.answerRenewal(at)),
  step('fail a renewal', asked, (ground, at) =>
    ground.renewals.splice(at % ground.renewals.length, 1)[0]!.reject(new Error('away')),
  ),
  step('pass time', always, ({ clock }, at) => clock.advance(500 * at)),
  step(
    'stand still for a lease',
    (ground) => ground.tasks.length > 3,
    ({ clock }) => clock.advance(31_000),
  ),
  step('give back what has not started', always, (ground) => ground.giveBackUnstarted()),
  step(
    'stop',
    (ground) => ground.tasks.length > 5,
    ({ pool }) => pool.stop(new WorkerStops()),
  ),
  step(
    'abandon',
    (ground) => ground.tasks.length > 5,
    (ground) => ground.abandon(),
  ),
]

const property = fc.asyncProperty(
  fc.commands(steps, { maxCommands: 60, size: 'max' }),
  async (commands) => {
    const ground = new Ground(SIZE)
    try {
      await fc.asyncModelRun(() => ({ model: {}, real: ground }), commands)
      await ground.finish()
    } finally {
      ground.close()
    }
  },
)

it(`a pool keeps every row in one list, and brings each to one end, whatever comes in whatever order, ${RUNS} times`, async () => {
  await fc.assert(property, { numRuns: RUNS, seed: SEED, endOnFailure: true })
}, 120_000)

it('allows no move out of gone, and no row to run again', () => {
  expect(MOVES.gone).toEqual([])
  const toRunning = Object.entries(MOVES).filter(([, to]) => to.includes('running'))
  expect(toRunning.map(([from]) => from)).toEqual(['waiting'])
})

it('refuses a move that the table does not have', () => {
  const ground = new Ground(SIZE)
  try {
    ground.claim(0, 1)
    expect(() => ground.pool.move(ground.tasks[0]!, 'sent')).toThrow(
      /Task id=row-.* path=model\.plain cannot move from waiting to sent\./,
    )
  } finally {
    ground.close()
  }
})

/** A row that was cancelled before the database saw its outcome, and a renewal beside it, are answered in an order; gives the row. */
async function cancelledOnItsWay(
  order: (ground: Ground) => (() => void)[],
): Promise<{ row: unknown; busy: number; told: string }> {
  const ground = new Ground(SIZE)
  try {
    ground.claim(0, 1)
    ground.pool.start()
    await turn()
    ground.end(0, 'success')
    await turn()
    ground.send()
    for (const act of order(ground)) {
      act()
      await turn()
    }
    const told = await ground.finish().then(
      () => 'well',
      (error: Error) => error.message,
    )
    return { row: [...ground.database.rows.values()][0], busy: ground.pool.busy, told }
  } finally {
    ground.close()
  }
}

const orders: [string, (ground: Ground) => (() => void)[]][] = [
  [
    'the renewal before the exchange',
    (ground) => [
      () => cancel(ground, 0),
      () => void ground.leases.renewAll(),
      () => ground.apply(),
      () => ground.answerRenewal(0),
      () => ground.answer(),
    ],
  ],
  [
    'the exchange before the renewal',
    (ground) => [
      () => cancel(ground, 0),
      () => void ground.leases.renewAll(),
      () => ground.answer(),
      () => ground.answerRenewal(0),
    ],
  ],
  [
    'a renewal from before the cancel after the exchange',
    (ground) => [
      () => void ground.leases.renewAll(),
      () => applyRenewal(ground, 0),
      () => cancel(ground, 0),
      () => ground.answer(),
      () => ground.answerRenewal(0),
    ],
  ],
  [
    'the renewal, and never the exchange',
    (ground) => [
      () => cancel(ground, 0),
      () => void ground.leases.renewAll(),
      () => ground.answerRenewal(0),
      () => ground.fail(),
    ],
  ],
]

it.each(orders)(
  'a row that is cancelled while its outcome is on its way ends as cancelled, if what is answered is %s',
  async (_, order) => {
    expect(await cancelledOnItsWay(order)).toEqual({
      row: { status: 'FAILED', claims: 1, isCancelled: true },
      busy: 0,
      told: 'well',
    })
  },
)

describe('the check finds', () => {
  const { applyLateReason, stop } = ClaimedTask.prototype
  const { hear } = TaskPool.prototype
  afterEach(() => {
    Object.assign(ClaimedTask.prototype, { applyLateReason, stop })
    TaskPool.prototype.hear = hear
  })

  it('a pool that forgets what it was told of an outcome on its way', async () => {
    const told = new WeakSet<ClaimedTask>()
    ClaimedTask.prototype.applyLateReason = () => false
    ClaimedTask.prototype.stop = function (reason) {
      const isAgain = reason instanceof TaskCancelled && told.has(this)
      if (reason instanceof TaskCancelled) told.add(this)
      if (!isAgain) stop.call(this, reason)
    }

    const byChance = await fc.check(property, { numRuns: 5_000, seed: SEED, endOnFailure: true })
    expect(String(byChance.errorInstance)).toContain('held for ever: doubted')
    expect((await cancelledOnItsWay(orders[0]![1])).told).toBe('held for ever: doubted')
  }, 120_000)

  it('a pool that takes an answer from before the refusal for its reason', async () => {
    TaskPool.prototype.hear = function (task, answer) {
      hear.call(this, task, { ...answer, wasDoubted: true })
    }

    expect((await cancelledOnItsWay(orders[2]![1])).told).toMatch(/came to \[\], and is RUNNING/)
  })
})

it('has a task of each kind', () => {
  expect(kinds.map(({ transactional }) => transactional)).toEqual([false, false, true])
})
