import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { dashed } from '#formats'
import { databases } from '../support/databases'
import { checkEffects, installEffects, readEffects } from './kit/effects'
import { Field } from './kit/field'
import { Fleet } from './kit/fleet'
import { groundOf } from './kit/ground'
import { Proxy } from './kit/proxy'
import { scheduleOf } from './kit/schedule'
import { say, seed, setting } from './kit/setting'
import { Random } from './kit/random'
import { Turmoil } from './kit/turmoil'
import { judge } from './kit/verdict'

const MINUTES = setting('MINUTES', 0.15)
const LENGTH = MINUTES * 60_000
/** So long may it take until all that is left has ended. */
const PATIENCE = 120_000 + LENGTH / 4

it('F71 the same seed has the same schedule, another seed another', () => {
  expect(scheduleOf(7, 60_000, true)).toEqual(scheduleOf(7, 60_000, true))
  expect(scheduleOf(8, 60_000, true)).not.toEqual(scheduleOf(7, 60_000, true))
})

describe.each(databases())('on $name', (database) => {
  it(
    `F71 whatever happens to workers and database for ${MINUTES} minutes, every task ends once`,
    async () => {
      const ground = await groundOf(database)
      const isServer = ground.name !== 'sqlite'
      const proxy = isServer
        ? await Proxy.to(ground.options as { host: string; port: number })
        : undefined
      // This process must not wait in SQLite's driver for a lock that it holds itself.
      const direct = isServer ? ground.options : { ...ground.options, timeout: 0 }
      const field = await Field.open(ground.name, direct, {
        app: isServer ? { port: proxy!.port } : { timeout: 5_000 },
      })
      try {
        await installEffects(field.dataSource)
        const clocks = new Random(seed)
        const fleet = await Fleet.start(field, 3, ['--shutdown-timeout', '1'], () => ({
          CLOCK_SHIFT: String(clocks.pick([0, 0, 600_000, -600_000, 3_600_000])),
        }))
        const turmoil = new Turmoil(field, fleet, ground, proxy)
        await turmoil.play(scheduleOf(seed, LENGTH, isServer))
        await quiet(field)
        await report(field, turmoil, await fleet.deserters())
      } finally {
        await field.close()
        await proxy?.close()
        await ground.close()
      }
    },
    LENGTH + PATIENCE * 2,
  )
})

/** Until no row waits or runs. */
async function quiet(field: Field): Promise<void> {
  const end = performance.now() + PATIENCE
  const open = async (): Promise<{ id: string; status: string }[]> =>
    field.dataSource.query(
      "SELECT id, status FROM db_task_result WHERE status IN ('READY', 'RUNNING')",
    )
  for (let left = [{ id: '', status: '' }]; left.length > 0; await sleep(100)) {
    left = await open().catch(() => left)
    if (performance.now() > end)
      throw new Error(
        `Seed ${seed}: after ${PATIENCE} ms these have not ended:\n${left.map(({ id }) => storyOf(field, dashed(id))).join('\n')}\n${lastWords(field)}`,
      )
  }
}

/** What the workers that are there said last. */
function lastWords(field: Field): string {
  return field.workers
    .filter(({ isOver }) => !isOver)
    .map(
      ({ name, pid, log }) =>
        `${name} (${stateOf(pid)}):\n  ${log.trim().split('\n').slice(-12).join('\n  ')}`,
    )
    .join('\n')
}

/** Linux tells whether a process runs, sleeps or is stopped. */
function stateOf(pid: number): string {
  try {
    return /^State:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
  } catch {
    return 'unknown'
  }
}

/** All that is known of one row. */
function storyOf(field: Field, id: string): string {
  const runs = field.events.filter((event) => event.id === id).map((event) => JSON.stringify(event))
  const logged = field.workers.flatMap(({ name, log }) =>
    log
      .split('\n')
      .filter((line) => line.includes(id))
      .map((line) => `${name}: ${line}`),
  )
  return [id, ...runs, ...logged].join('\n  ')
}

async function report(field: Field, turmoil: Turmoil, deserters: readonly string[]): Promise<void> {
  // Claims are cut off before they start, and enqueues before their reply.
  const verdict = await judge(field, { unstarted: true, unsure: true })
  const rows = await field.rows()
  const effects = await readEffects(field.dataSource)
  const breaches = [
    ...verdict.breaches,
    ...turmoil.oddities,
    ...deserters.map((each) => `I7: ${each}`),
    ...checkEffects(
      effects,
      rows.filter(({ taskPath }) => taskPath === 'fault.book'),
    ),
  ]
  const returned = field.events.filter(({ event }) => event === 'end').map(({ id }) => id)
  const lost = (await field.history()).changes.filter(
    ({ before, after }) =>
      before?.status === 'RUNNING' &&
      after?.errors.at(-1) === 'typeorm_tasks.WorkerLost' &&
      after.errors.length > before.errors.length,
  )
  say(
    `${field.name}, seed ${seed}, ${MINUTES} minutes: ${[...turmoil.counts].map(([fault, times]) => `${fault} ${times}`).join(', ')}; ${turmoil.refused} were refused by a database that was away`,
    `  ${rows.length} tasks: ${tally(rows.map(({ status, exceptionClassPath }) => (status === 'FAILED' ? exceptionClassPath : status)))}`,
    `  ${field.events.filter(({ event }) => event === 'start').length} runs, ${lost.length} taken over, ${returned.length - new Set(returned).size} returned more than once, ${effects.length} effects of transactional tasks`,
    `  ${verdict.line}`,
    ...breaches.slice(0, 20).map((breach) => `  ${breach}`),
  )
  const ids = [
    ...new Set(breaches.flatMap((breach) => /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(breach) ?? [])),
  ]
  for (const id of ids.slice(0, 3)) say(storyOf(field, id))
  expect(breaches.slice(0, 20)).toEqual([])
  expect(rows.filter(({ status }) => !['SUCCESSFUL', 'FAILED'].includes(status))).toEqual([])
  expect(returned.length - new Set(returned).size).toBeLessThanOrEqual(lost.length)
  // Else nothing was shown; some seconds may pass without a loss.
  if (MINUTES >= 1) expect(lost.length).toBeGreaterThan(0)
}

function tally(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, times]) => `${word} ${times}`).join(', ')
}
