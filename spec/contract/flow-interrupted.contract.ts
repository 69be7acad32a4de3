import { type FlowFailure, type FlowOutcome, task } from 'typeorm-tasks'
import type { FlowRows } from '../../backends/database/dialects/flow-verbs'
import { partOf, Settling } from '../../backends/database/flows/settling'
import { wholeOptions } from '../../backends/keys'
import type { SetLinks } from '../../lib/row/flow-parts'
import type { Ground } from './ground'

/** More than settling one flow takes. */
const MOST_STATEMENTS = 30

const step = task('interrupted.step', (value: unknown) => value)
const told = task('interrupted.told', (failure: FlowFailure) => failure.id)
const cleaned = task('interrupted.cleaned', (outcomes: FlowOutcome<unknown>[]) => outcomes.length)
const after = task('interrupted.after', (value: unknown) => value)

class Interruption extends Error {}

/** That a worker may be lost at any moment while it settles a flow. */
export function interruptedFlowContract(ground: Ground): void {
  afterEach(() => ground.clear())

  /** Each of the verbs is a statement or two, and after the nth one nothing more is done. */
  async function settling(statements = Infinity): Promise<Settling> {
    const { rows: real, hexIds } = await ground.verbs()
    let left = statements
    const dying = new Proxy(real, {
      get:
        (_, verb: keyof FlowRows) =>
        async (...given: unknown[]) => {
          if (left-- <= 0) throw new Interruption()
          return (real[verb] as (...all: unknown[]) => unknown).apply(real, given)
        },
    })
    return new Settling(dying, 'default', hexIds)
  }

  /** The first task of a flow ends so; what waits for it is not settled yet. */
  async function begun(status: 'SUCCESSFUL' | 'FAILED'): Promise<SetLinks> {
    const handle = await step
      .order(1)
      .next((value) => step.order(value))
      .next((value) => step.order(value))
      .onFailure((failure) => told.order(failure).next((id) => after.order(id)))
      .onFinished((outcomes) => cleaned.order(outcomes).next((count) => after.order(count)))
      .enqueue()
    const [first, ...others] = await handle.results()
    // A flow that goes well is at its end.
    for (const { id } of status === 'FAILED' ? [first!] : [first!, ...others])
      await (status === 'FAILED' ? ground.fail(id) : ground.succeed(id, 1))
    const last = (status === 'FAILED' ? first! : others.at(-1)!).id
    const row = (await ground.all()).find(({ id }) => id === last)
    const options = row?.options ? JSON.stringify(row.options) : null
    return partOf(wholeOptions(options, row?.uniqueKey ?? null)).member!
  }

  async function states(): Promise<string[]> {
    const all = await ground.all()
    return all.map(({ taskPath, status, runAfter }) => {
      const isParked = status === 'READY' && runAfter.getUTCFullYear() === 9998
      return `${taskPath.replace('interrupted.', '')} ${isParked ? 'waits' : status}`
    })
  }

  const ends = {
    FAILED: [
      'step FAILED',
      'step FAILED',
      'step FAILED',
      'told READY',
      'after waits',
      'cleaned READY',
      'after waits',
    ],
    SUCCESSFUL: [
      'step SUCCESSFUL',
      'step SUCCESSFUL',
      'step SUCCESSFUL',
      'cleaned READY',
      'after waits',
    ],
  }

  it.each(['FAILED', 'SUCCESSFUL'] as const)(
    'after any statement of a flow that is %s, whoever settles the same set next completes it',
    async (status) => {
      let interruptions = 0
      for (let statements = 1; statements < MOST_STATEMENTS; statements++) {
        const set = await begun(status)
        const isInterrupted = await (await settling(statements)).settle([set]).then(
          () => false,
          (error: unknown) => error instanceof Interruption,
        )
        if (isInterrupted) {
          interruptions++
          await (await settling()).settle([set])
        }
        expect([statements, ...(await states())]).toEqual([statements, ...ends[status]])
        await ground.clear()
        if (!isInterrupted) break
      }
      expect(interruptions).toBeGreaterThan(3)
      expect(interruptions).toBeLessThan(MOST_STATEMENTS - 2)
    },
  )

  it.each(['FAILED', 'SUCCESSFUL'] as const)(
    'after any statement of a flow that is %s, looks for what waits complete it, and run nothing else',
    async (status) => {
      for (let statements = 1; statements < MOST_STATEMENTS; statements++) {
        const set = await begun(status)
        const isInterrupted = await (await settling(statements)).settle([set]).then(
          () => false,
          (error: unknown) => error instanceof Interruption,
        )
        const another = await settling()
        await another.settleWaiting()
        expect([statements, ...(await states())]).toEqual([statements, ...ends[status]])
        await ground.clear()
        if (!isInterrupted) break
      }
    },
  )
}
