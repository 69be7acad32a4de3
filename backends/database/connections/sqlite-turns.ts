import {
  type DataSource,
  type EntityManager,
  type QueryRunner,
  QueryRunnerAlreadyReleasedError,
} from 'typeorm'
import { clock } from '../../../lib/clock'
import { patiently } from './retry-contention'

/** Milliseconds between looks whether the app's own transaction is over. */
const LOOK = 5

type Lock = (manager: EntityManager) => Promise<void>

/** After so many milliseconds of one transaction upon the other, others get `BREATH` to write: what waits looks that often. */
const SPELL = 300
const BREATH = 160

interface Turns {
  last: Promise<unknown>
  /** When the last one ended, and since when there was no breath between. */
  endedAt: number
  since: number
}

const turnsOf = new WeakMap<DataSource, Turns>()

/**
 * Where a DataSource is one connection, on SQLite: one at a time, and not within a transaction of the app's own. `lock`
 * takes the right to write: a transaction that reads first and writes later fails if another wrote in between.
 */
export function onSoleConnection(
  dataSource: DataSource,
  tablePath: string,
  work: (runner: QueryRunner, lock: Lock) => Promise<void>,
): Promise<void> {
  const lock: Lock = (manager) =>
    patiently(
      async () => void (await manager.query(`UPDATE ${tablePath} SET claims = claims WHERE 1 = 0`)),
    )
  return inTurn(dataSource, async () => {
    const shared = dataSource.createQueryRunner()
    while (shared.isTransactionActive) await clock.sleep(LOOK)
    const passing = passingRunner(dataSource, shared)
    await work(passing.runner, lock).finally(passing.end)
  })
}

function inTurn(dataSource: DataSource, work: () => Promise<void>): Promise<void> {
  const turns = turnsOf.get(dataSource) ?? {
    last: Promise.resolve(),
    endedAt: Number.NEGATIVE_INFINITY,
    since: 0,
  }
  turnsOf.set(dataSource, turns)
  const mine = turns.last
    .then(() => breathe(turns))
    .then(work)
    .finally(() => (turns.endedAt = clock.now()))
  turns.last = mine.catch(() => {})
  return mine
}

/** Else a queue of short transactions would keep out renewals as one long one does. */
async function breathe(turns: Turns): Promise<void> {
  const idle = clock.now() - turns.endedAt
  if (idle < BREATH && clock.now() - turns.since < SPELL) return
  if (idle < BREATH) await clock.sleep(BREATH - idle)
  turns.since = clock.now()
}

/**
 * The runner that all share, for one transaction: after `end` it serves no more, since what a run that was left to
 * itself still writes would be in no transaction, or in that of the next task.
 */
function passingRunner(
  dataSource: DataSource,
  shared: QueryRunner,
): { runner: QueryRunner; end: () => void } {
  let isOver = false
  const refuse = (): never => {
    throw new QueryRunnerAlreadyReleasedError()
  }
  const runner: QueryRunner = new Proxy(shared, {
    get(target, name) {
      if (name === 'manager') return manager
      if (name === 'isReleased' && isOver) return true
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return isOver ? refuse : (value.bind(target) as unknown)
    },
  })
  const manager = dataSource.createEntityManager(runner)
  return { runner, end: () => void (isOver = true) }
}
