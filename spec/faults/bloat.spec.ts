import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult } from '#entities'
import { remoteTask } from '#define'
import { configureTasks } from '#configure'
import type { Store } from '#lib/store'
import { claimFilter } from '../contract/rows'
import { databases } from '../support/databases'
import { say, setting } from './kit/setting'
import { p99 } from './kit/volume'

const SECONDS = setting('MINUTES', 0.25) * 60
/** Tasks in one go, and as many goes a second as make 500 tasks. */
const BATCH = 10
const PAUSE = 20

/** Milliseconds of claims, and of statements that ask for nothing, in the same seconds. */
interface Window {
  readonly claims: readonly number[]
  readonly nothing: readonly number[]
}

for (const { fresh, name } of databases())
  if (name === 'postgres')
    it(
      `F44 while a session keeps an old snapshot for ${SECONDS} s on ${name}, claims stay about as quick as they were, and are so again after it`,
      async () => {
        const dataSource = await new DataSource({
          ...(await fresh()),
          entities: [DBTaskResult],
          synchronize: true,
        }).initialize()
        const store = await new DatabaseBackend('default', {
          queues: [],
          options: { dataSource },
        }).openStore({})
        configureTasks({
          default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } },
        })
        try {
          await work(dataSource, store, 2)
          const snapshot = dataSource.createQueryRunner()
          await snapshot.startTransaction('REPEATABLE READ')
          await snapshot.query('SELECT COUNT(*) FROM db_task_result')

          const start = await work(dataSource, store, Math.max(3, SECONDS / 10))
          const all = await work(dataSource, store, SECONDS * 0.7)
          const end = await work(dataSource, store, Math.max(3, SECONDS / 10))
          await snapshot.rollbackTransaction()
          await snapshot.release()
          const dead = await deadTuples(dataSource)
          await dataSource.query('VACUUM db_task_result')
          await sleep(500)
          const after = await work(dataSource, store, 3)

          const tasks = (start.claims.length + all.claims.length + end.claims.length) * BATCH
          say(
            `postgres, a snapshot held for ${SECONDS} s and ${tasks} tasks, ${dead} dead rows: half of all claims within ${median(start.claims).toFixed(1)} ms at the start, ${median(end.claims).toFixed(1)} at the end, ${median(after.claims).toFixed(1)} after it; 99 of 100 within ${p99(start.claims).toFixed(1)} ms at the start, ${p99(end.claims).toFixed(1)} at the end, ${p99(after.claims).toFixed(1)} after it (SELECT 1: ${p99(start.nothing).toFixed(1)}, ${p99(end.nothing).toFixed(1)}, ${p99(after.nothing).toFixed(1)})`,
          )
          // What the machine itself became slower by is not the claim's.
          const load = (before: Window, later: Window): number =>
            Math.max(1, median(later.nothing) / median(before.nothing))
          // Dead rows slow down every claim; the slowest of a hundred is one that the machine kept waiting.
          expect(median(end.claims)).toBeLessThan(3 * median(start.claims) * load(start, end))
          expect(median(after.claims)).toBeLessThan(2 * median(start.claims) * load(start, after))
        } finally {
          await store.close()
          await dataSource.destroy()
        }
      },
      SECONDS * 2_000 + 60_000,
    )

/** Enqueues, claims and finishes 500 tasks a second, or as many as this machine can. */
async function work(dataSource: DataSource, store: Store, seconds: number): Promise<Window> {
  const [claims, nothing]: [number[], number[]] = [[], []]
  const end = performance.now() + seconds * 1000
  for (let next = performance.now(); performance.now() < end; next += PAUSE) {
    await sleep(Math.max(0, next - performance.now()))
    await remoteTask<unknown[]>('spec.nothing').enqueueMany(Array.from({ length: BATCH }, () => []))
    nothing.push(await timed(() => dataSource.query('SELECT 1')))
    let claimed: Awaited<ReturnType<Store['exchange']>>['claimed'] = []
    claims.push(
      await timed(async () => (claimed = (await store.exchange([], BATCH, claimFilter())).claimed)),
    )
    expect(claimed).toHaveLength(BATCH)
    await store.exchange(
      claimed.map(({ key, claims: claim }) => ({
        key,
        claims: claim,
        status: 'SUCCESSFUL',
        returnValue: null,
      })),
      0,
      claimFilter(),
    )
  }
  return { claims, nothing }
}

async function timed(doIt: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await doIt()
  return performance.now() - start
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

async function deadTuples(dataSource: DataSource): Promise<number> {
  await dataSource.query('SELECT pg_stat_force_next_flush()').catch(() => {})
  const [record] = (await dataSource.query(
    "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'db_task_result'",
  )) as { n_dead_tup: string }[]
  return Number(record?.n_dead_tup)
}

if (!databases().some(({ name }) => name === 'postgres')) it.skip('F44 needs PostgreSQL', () => {})
