import { type TaskResult, task } from 'typeorm-tasks'
import { backends } from '#backend-registry'
import type { ClaimedRow, Outcome, OutcomeAnswer } from '../../lib/store'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'
import { catchLog } from '../support/tasks'
import { runUntilEmpty } from '#start-worker'

const MIB = 1024 * 1024
const taken = task('redisLarge.taken', (text: string) => text.length)

describeOnRedis('a Redis that takes no values above 1 MB', () => {
  const { connection } = redisApp({ isAlone: true })
  const backend = () => backends.get('default')
  beforeAll(async () => {
    await connection().client.config('SET', 'proto-max-bulk-len', String(MIB))
  })
  beforeEach(() => void catchLog())

  // The library itself takes no return value above 1 MB, so these come from a store.
  it.each([
    ['is just too large', 'x'.repeat(MIB + 10)],
    ['is much too large', 'x'.repeat(16 * MIB)],
    ['has few characters of many bytes', '\u20ac'.repeat(MIB / 2)],
  ])(
    'fails a task whose result %s, and records the others',
    async (_, value) => {
      const results = await taken.enqueueMany([['a'], ['b'], ['c'], ['d']])
      const store = await backend().openStore({})
      const filter = { workerId: 'w', queues: null, excludeQueues: [] }
      const { claimed } = await store.exchange([], 4, filter)
      const outcomeOf = ({ key, claims }: ClaimedRow, at: number): Outcome => ({
        key,
        claims,
        status: 'SUCCESSFUL',
        returnValue: JSON.stringify(at % 2 === 1 ? value : at),
      })
      const outcomes = claimed.map(outcomeOf)
      const last = new Map<string, OutcomeAnswer>()
      for (let left = outcomes, turn = 0; left.length > 0 && turn < 5; turn++) {
        // Redis may close the connection before all is sent: then why is lost on its way. A worker hands in again.
        const { answers } = await store
          .exchange(left, 0, filter)
          .catch(() => ({ answers: left.map((): OutcomeAnswer => 'later') }))
        for (const [i, { key }] of left.entries()) last.set(key, answers[i] ?? 'refused')
        left = left.filter(({ key }) => last.get(key) === 'later')
      }
      const answers = outcomes.map(({ key }) => last.get(key))
      await store.close()

      const refused = {
        status: 'FAILED',
        error: {
          exceptionClassPath: 'typeorm_tasks.OutcomeRefused',
          traceback: expect.stringMatching(/Redis takes no value as large as this/) as string,
        },
      }
      expect(answers).toMatchObject(['kept', refused, 'kept', refused])
      const stored = await Promise.all(results.map(({ id }) => backend().getResult(id)))
      expect(stored.map(({ status }) => status)).toEqual([
        'SUCCESSFUL',
        'FAILED',
        'SUCCESSFUL',
        'FAILED',
      ])
      expect(stored[1]?.errors).toMatchObject([
        { exceptionClassPath: refused.error.exceptionClassPath },
      ])
    },
    120_000,
  )

  describe('of arguments', () => {
    // With what a job has beside them they are larger than that.
    const most = 'x'.repeat(MIB - 4)
    const TOLD =
      /^Redis takes no value as large as these arguments \(TASKS\.default\): ERR Protocol error: invalid bulk length\. Pass a reference/

    it.each([
      ['enqueue', () => taken.enqueue(most)],
      ['enqueueMany', () => taken.enqueueMany([[most], [most]])],
    ])('tells %s so, and stays of use', async (_, ask: () => Promise<unknown>) => {
      await expect(ask()).rejects.toThrow(TOLD)
      await expect(ask()).rejects.toThrow(TOLD)
      const result: TaskResult<number> = await taken.enqueue('short')
      await runUntilEmpty({ queues: '*' })
      await result.refresh()
      expect(result.returnValue).toBe(5)
    })
  })
})
