import { setTimeout as sleep } from 'node:timers/promises'
import { databases } from '../support/databases'
import { Field } from './kit/field'
import { Fleet } from './kit/fleet'
import { groundOf, type Ground } from './kit/ground'
import { Random } from './kit/random'
import { say, seed, setting } from './kit/setting'
import { judge } from './kit/verdict'

const TASKS = setting('TASKS', 1_000)
const KILLS = setting('KILLS', 4)
const RESTARTS = setting('RESTARTS', 1)

/** Longer than a server takes to come back: this is about what kills cost. */
const LEASE_SECONDS = 8
/** Milliseconds that a task may take to find its worker, and to be run again and again. */
const PATIENCE = 120_000 + TASKS * 30

describe.each(databases())('on $name', (database) => {
  it(
    `F1, F27 of ${TASKS} tasks under ${KILLS} kills of workers and ${RESTARTS} restarts of the database, all end once, and only those of the killed run twice`,
    async () => {
      const ground = await groundOf(database)
      // Chance may kill the same task's worker often: that is F7, and not wanted here.
      const field = await Field.open(ground.name, ground.options, {
        settings: { leaseSeconds: LEASE_SECONDS, maxCrashes: 1_000 },
      })
      try {
        const inFlight = await play(field, ground, new Random(seed))
        await report(field, ground, inFlight)
      } finally {
        await field.close()
        await ground.close()
      }
    },
    PATIENCE * 2,
  )
})

/** Gives how many tasks were in flight at the kills. */
async function play(field: Field, ground: Ground, random: Random): Promise<number> {
  for (let made = 0; made < TASKS; made += 1_000)
    await field.enqueue(
      'long.sleep',
      Array.from({ length: Math.min(1_000, TASKS - made) }, () => [random.whole(10, 250)]),
    )
  const fleet = await Fleet.start(field, 4, [])
  const killings = random
    .sorted(KILLS, Math.ceil(TASKS * 0.03), Math.ceil(TASKS * 0.85))
    .map((at) => ({ at, isKill: true }))
  const outages = random
    .sorted(RESTARTS, Math.ceil(TASKS * 0.1), Math.ceil(TASKS * 0.8))
    .map((at) => ({ at, isKill: false }))
  let inFlight = 0
  for (const { at, isKill } of [...killings, ...outages].toSorted((a, b) => a.at - b.at)) {
    await ended(field, at)
    if (isKill) inFlight += await heldBy(field, (await fleet.kill(random)).name)
    else await ground.outage()
  }
  await ended(field, TASKS)
  expect(await fleet.deserters()).toEqual([])
  return inFlight
}

async function report(field: Field, ground: Ground, inFlight: number): Promise<void> {
  const { breaches, line } = await judge(field, { unstarted: true })
  const rows = await field.rows()
  const ends = (status: string): number => rows.filter((row) => row.status === status).length
  const runs = field.events.filter(({ event }) => event === 'start').length
  const twice = breaches.filter((breach) => breach.startsWith('I2')).length
  const finished = ends('SUCCESSFUL') + ends('FAILED')
  say(
    `${ground.name}, seed ${seed}: ${TASKS} tasks, ${KILLS} kills, ${RESTARTS} × ${ground.outageIs}`,
    `  ${finished} finished (${ends('SUCCESSFUL')} SUCCESSFUL), ${TASKS - rows.length} lost, ${twice} recorded twice, ${runs} runs of at most ${TASKS} + ${inFlight} in flight at the kills`,
    `  ${line}`,
    ...breaches.slice(0, 20).map((breach) => `  ${breach}`),
  )
  expect(breaches.slice(0, 20)).toEqual([])
  expect([ends('SUCCESSFUL'), rows.length]).toEqual([TASKS, TASKS])
  expect(runs).toBeGreaterThanOrEqual(TASKS)
  expect(runs).toBeLessThanOrEqual(TASKS + inFlight)
  // Else nothing was shown.
  expect(inFlight).toBeGreaterThan(0)
}

/** Waits until so many rows have ended. */
async function ended(field: Field, howMany: number): Promise<void> {
  const end = performance.now() + PATIENCE
  for (let seen = 0; seen < howMany; await sleep(50)) {
    seen = await field.dataSource
      .query("SELECT COUNT(*) AS n FROM db_task_result WHERE status IN ('SUCCESSFUL', 'FAILED')")
      .then(
        ([{ n }]: [{ n: string }]) => Number(n),
        () => seen,
      )
    if (performance.now() > end)
      throw new Error(
        `Waited ${PATIENCE} ms in vain for ${howMany} rows to end: ${seen} have. Workers' last words:\n${field.workers.map(({ name, log }) => `${name}: ${log.slice(-300)}`).join('\n')}`,
      )
  }
}

/** How many rows a worker held when it was killed: what it had sent by then has arrived. */
async function heldBy(field: Field, worker: string): Promise<number> {
  await sleep(100)
  await field.answers()
  const running = (await field.dataSource.query(
    "SELECT worker_ids FROM db_task_result WHERE status = 'RUNNING'",
  )) as { worker_ids: unknown }[]
  const holders = running.map(
    ({ worker_ids }) =>
      (typeof worker_ids === 'string' ? JSON.parse(worker_ids) : worker_ids) as string[],
  )
  return holders.filter((ids) => ids.at(-1) === worker).length
}
