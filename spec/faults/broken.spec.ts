import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { databases } from '../support/databases'
import { Field } from './kit/field'
import { LEASE } from './kit/timing'

const preload = join(__dirname, 'kit/broken-engine.cjs')
const database = databases()[0]!

/** The same scenarios as for the sound engine, in short, with a worker that lacks a safeguard. */
const variants: [string, string, (field: Field, missing: object) => Promise<void>, RegExp][] = [
  [
    'without the fence',
    'fence',
    stalls,
    /I2: .* (ended more than once|holds what claim 1 came to)|I5: /,
  ],
  [
    'that takes rows over within their lease',
    'lease',
    twoAtOnce,
    /I3: .* was taken over \d+ ms before its lease ended/,
  ],
  [
    'that sets the counter of claims back when it gives rows back',
    'counter',
    givesBack,
    /I3: .* (started twice|in the ledger twice)|I4: .* says \d claims, and was claimed \d times|I5: .* its claims by -1/,
  ],
  ['that forgets outcomes it could not hand in', 'batch', forgets, /I6: .* still runs/],
]

describe('F70 the check finds an engine', () => {
  it.concurrent.each(variants)(
    '%s',
    async (_, BREAK, play, found) => {
      // The faults are races: one that is won by chance shows nothing, so there are three tries.
      const told: string[] = []
      while (told.length < 3 && !found.test(told.at(-1) ?? ''))
        told.push(await breaches(play, BREAK))
      expect(told.at(-1)).toMatch(found)
    },
    90_000,
  )
})

async function breaches(
  play: (field: Field, missing: object) => Promise<void>,
  BREAK: string,
): Promise<string> {
  const field = await Field.open(database.name, await database.fresh())
  try {
    await play(field, { preload, env: { BREAK } })
    return await field.verify().then(
      () => 'nothing',
      (error: Error) => error.message,
    )
  } finally {
    await field.close()
  }
}

it('and finds nothing in the sound one, in the same scenarios', async () => {
  await Promise.all(
    [stalls, twoAtOnce, givesBack].map(async (play) => {
      const field = await Field.open(database.name, await database.fresh())
      try {
        await play(field, {})
        await field.verify()
      } finally {
        await field.close()
      }
    }),
  )
}, 60_000)

/** F18 */
async function stalls(field: Field, missing: object): Promise<void> {
  await field.enqueue('second', [[300, 'fails']])
  const worker = await field.worker([], missing)
  await field.sees('start')
  worker.kill('SIGSTOP')
  await field.worker([], missing)
  await field.finished()
  worker.kill('SIGCONT')
  await sleep(1_500)
}

async function twoAtOnce(field: Field, missing: object): Promise<void> {
  await field.enqueue('sleep', [[LEASE]])
  await field.worker([], missing)
  await field.sees('start')
  await field.worker([], missing)
  await field.finished()
}

/** F13 */
async function givesBack(field: Field, missing: object): Promise<void> {
  await field.enqueue('second', [[60_000]])
  const worker = await field.worker(['--shutdown-timeout', '0.1'], missing)
  await field.sees('start')
  worker.kill('SIGTERM')
  await worker.ended
  const [row] = await field.rows()
  if (row!.claims === 0) return
  await field.worker([], missing)
  await field.finished()
}

async function forgets(field: Field, missing: object): Promise<void> {
  await field.enqueue('count')
  const worker = await field.worker([], missing)
  await field.sees('end')
  await sleep(500)
  await worker.stop()
}
