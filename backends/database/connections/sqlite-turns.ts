import {
  type DataSource,
  type EntityManager,
  type QueryRunner,
  QueryRunnerAlreadyReleasedError,
} from 'typeorm'
import { clock } from '../../../lib/clock'
import { onePerProcess } from '../../../lib/copies/one-per-process'
import { patiently } from './session'

/** How often it is checked whether the app's own transaction has ended. */
const CHECK_MS = 5

type Lock = (manager: EntityManager) => Promise<void>

/** After this time of transactions that follow each other closely there is a pause of `PAUSE_MS`, in which others can write. */
const SPELL_MS = 300
/** Longer than the interval in which a waiting writer tries again. */
const PAUSE_MS = 160

interface Turns {
  last: Promise<unknown>
  /** When the last one ended. */
  endedAt: number
  /** When the last pause ended. */
  since: number
}

const turnsOf = onePerProcess('turns', () => new WeakMap<DataSource, Turns>())

/**
 * Runs `work` where a DataSource is one connection: one at a time, and not within a transaction of the app's own. `lock`
 * takes the write lock: a transaction that reads first and writes later fails if another one wrote in between.
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
    while (shared.isTransactionActive) await clock.sleep(CHECK_MS)
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
    .then(() => pauseAfter(turns))
    .then(work)
    .finally(() => (turns.endedAt = clock.now()))
  turns.last = mine.catch(() => {})
  return mine
}

/** Otherwise a queue of short transactions would block renewals as one long one does. */
async function pauseAfter(turns: Turns): Promise<void> {
  const idle = clock.now() - turns.endedAt
  if (idle < PAUSE_MS && clock.now() - turns.since < SPELL_MS) return
  if (idle < PAUSE_MS) await clock.sleep(PAUSE_MS - idle)
  turns.since = clock.now()
}

/**
 * The shared runner, for one transaction: after `end` it refuses to work, since a detached run would still write through
 * it, outside of any transaction or within that of the next task.
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
