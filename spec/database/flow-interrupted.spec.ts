import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  type FlowFailure,
  type FlowOutcome,
  task,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { dialectFor } from '#dialect-for'
import { Session } from '#session'
import { tableOf } from '#database/table'
import type { FlowRows } from '../../backends/database/dialects/flow-verbs'
import { partOf, Settling } from '../../backends/database/flows/settling'
import { wholeOptions } from '../../backends/keys'
import type { SetLinks } from '../../lib/row/flow-parts'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

/** More than settling one flow takes. */
const MOST_STATEMENTS = 30

const step = task('interrupted.step', (value: unknown) => value)
const told = task('interrupted.told', (failure: FlowFailure) => failure.id)
const cleaned = task('interrupted.cleaned', (outcomes: FlowOutcome<unknown>[]) => outcomes.length)
const after = task('interrupted.after', (value: unknown) => value)

class Interruption extends Error {}

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  afterEach(() => rows().clear())

  const rows = () => dataSource.getRepository(DBTaskResult)

  /** Each of the verbs is a statement or two, and after the nth one nothing more is done. */
  async function settling(statements = Infinity): Promise<Settling> {
    const table = await tableOf(dataSource)
    const real = dialectFor(table).flowRows(new Session(dataSource))
    let left = statements
    const dying = new Proxy(real, {
      get:
        (_, verb: keyof FlowRows) =>
        async (...given: unknown[]) => {
          if (left-- <= 0) throw new Interruption()
          return (real[verb] as (...all: unknown[]) => unknown).apply(real, given)
        },
    })
    return new Settling(dying, 'default', table.hexIds)
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
      await rows().update(
        { id },
        { status, exceptionClassPath: status === 'FAILED' ? 'Error' : '' },
      )
    const { options, uniqueKey } = await rows().findOneByOrFail({
      id: (status === 'FAILED' ? first! : others.at(-1)!).id,
    })
    return partOf(wholeOptions(options && JSON.stringify(options), uniqueKey)).member!
  }

  async function states(): Promise<string[]> {
    const all = await rows().find({ order: { id: 'ASC' } })
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
        await rows().clear()
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
        await rows().clear()
        if (!isInterrupted) break
      }
    },
  )
})
