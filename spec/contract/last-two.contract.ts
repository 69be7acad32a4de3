import { type Exchange, group, task } from 'typeorm-tasks'
import { backends } from '../../lib/backend-registry'
import { flowPartOf } from '../../lib/row/flow-parts'
import type { Ground } from './ground'

const LIMIT_MS = 240_000

const part = task('two.part', (value: unknown) => value)
const gather = task('two.gather', (values: unknown) => values)

/**
 * Two workers each finish one of the last two members of a set. In every other round both outcomes are stored before either of
 * them looks: both find that nothing is left.
 */
export function lastTwoContract(rounds: number, ground: Pick<Ground, 'clear'>): void {
  it(
    `of two that finish last at the same instant one makes due what waits, ${rounds} times`,
    async () => {
      const stores = await Promise.all(
        ['w-1', 'w-2'].map(async (workerId) => {
          const store = await backends.get('default').openStore({})
          return { store, filter: { workerId, queues: null, excludeQueues: [] } }
        }),
      )
      const wrong: unknown[] = []
      for (let round = 0; round < rounds; round++) {
        const { last } = await group([part.order(1), part.order(2)])
          .next((values) => gather.order(values))
          .enqueue()
        const claimed = await Promise.all(
          stores.map(({ store, filter }) => claimOne(() => store.exchange([], 1, filter))),
        )
        const finished = new Barrier(round % 2 === 0 ? stores.length : 1)
        const due = await Promise.all(
          stores.map(async ({ store, filter }, i) => {
            const { key, claims, options } = claimed[i]!
            const outcome = { key, claims, status: 'SUCCESSFUL', returnValue: '1' } as const
            await store.exchange([outcome], 0, filter)
            await finished.reached()
            return store.settle?.([flowPartOf(options).member!])
          }),
        )
        const { status, isWaiting } = await last.refresh()
        if (status !== 'READY' || isWaiting || due.toSorted().join() !== '0,1')
          wrong.push({ round, status, isWaiting, due })
        await ground.clear()
      }
      for (const { store } of stores) await store.close()
      expect(wrong).toEqual([])
    },
    LIMIT_MS,
  )
}

class Barrier {
  #left: number
  #open: () => void = () => {}
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve))

  constructor(parties: number) {
    this.#left = parties
  }

  async reached(): Promise<void> {
    if (--this.#left <= 0) this.#open()
    await this.#opened
  }
}

type Claimed = Exchange['claimed'][number]

async function claimOne(claim: () => Promise<{ claimed: readonly Claimed[] }>): Promise<Claimed> {
  for (;;) {
    const [row] = (await claim()).claimed
    if (row) return row
  }
}
