import fc from 'fast-check'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  DoNotRetry,
  RetryLater,
  setLogger,
  startWorker,
  task,
  type TaskContext,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'
import { setting } from './kit/setting'

// FUZZ_CASES=2000 SEED=7 DB=postgres npx jest --selectProjects faults --testPathPatterns faults/fuzz
const CASES = setting('FUZZ_CASES', 60)
const SEED = setting('SEED', 20_261)
const INNOCENTS = 100

/** What the guilty task of a case does: made anew for each run, since values with getters change. */
type Deed = (context: TaskContext) => unknown

let deed: Deed = () => undefined
let runs = 0
const innocent = task('fuzz.innocent', async (n: number) => n)
const guilty = task(
  'fuzz.guilty',
  // Whatever it returns is to be judged at run time.
  async (context: TaskContext): Promise<unknown> => {
    runs++
    return deed(context)
  },
  { takesContext: true },
)

const ODD = ['\u0000', '\ud83d', '\udc00', '\u202e', '\uffff', '"', '\\', "'", '\u2028', '😀', '%']
const oddText = fc
  .array(fc.oneof(fc.constantFrom(...ODD), fc.string()), { maxLength: 30 })
  .chain((parts) =>
    fc.constantFrom(1, 1, 1, 40, 999, 70_000).map((n) =>
      parts
        .join('')
        .repeat(n)
        .slice(0, 2 ** 20),
    ),
  )
const oddNumber = fc.oneof(
  fc.double(),
  fc.constantFrom(1e18, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 53, 0.5, -0),
)
const oddValue = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
  oddText,
  oddNumber,
  oddText.map((text) => ({ toJSON: () => text })),
  oddText.map((text) => Object.assign([1], { toJSON: () => ({ [text]: text }) })),
  oddText.map((text) => {
    let asked = 0
    return {
      get late(): unknown {
        return asked++ === 0 ? 'plain' : text
      },
    }
  }),
)

const returns = oddValue.map(
  (value): Deed =>
    () =>
      value,
)
const throws = fc.tuple(oddText, oddValue, fc.nat(5)).map(([text, value, kind]): Deed => () => {
  if (kind === 0) throw value
  const error = new Error(text, { cause: value })
  if (kind === 1) error.stack = text
  if (kind === 2) Object.defineProperty(error, 'name', { value: value })
  if (kind === 3) Object.defineProperty(error, 'message', { get: () => oddThrow(text) })
  if (kind === 4) throw new DoNotRetry(text, { cause: value })
  if (kind === 5) throw new AggregateError([value, error], text)
  throw error
})
const delays = fc.tuple(oddNumber, fc.boolean()).map(([delay, later]): Deed => () => {
  if (!later) throw new RetryLater(delay)
  throw Object.assign(new RetryLater(1), { delay })
})
const notes = fc
  .tuple(oddNumber, oddNumber, oddText)
  .map(([done, total, text]): Deed => (context) => {
    context.reportProgress(done, total, text)
    return 'noted'
  })

function oddThrow(text: string): never {
  throw new TypeError(text)
}

/** A column of the guilty row, as other hands may have written it: as SQL literals that each database takes. */
const COLUMNS: readonly [string, readonly string[]][] = [
  ['attempt_errors', ['{"a":1}', '[1]', '[{"traceback":7}]', '"x"', '[[]]', 'null']],
  ['worker_ids', ['{"a":1}', '[1]', '"x"', '[null]']],
  [
    'args_kwargs',
    ['[]', '{"args":{},"kwargs":{}}', '{"args":[1],"kwargs":[]}', '7', '{"args":[]}'],
  ],
  ['options', ['[]', '{"retry":{"maxAttempts":"x"}}', '{"timeLimit":-1}', '7', '{"maxAge":"old"}']],
  ['claims', ['2147483647', '-1', '2147483646']],
  ['priority', ['101', '-101', '2147483647']],
  ['task_path', ["'x'", "''", `'${'a.'.repeat(400)}b'`]],
  ['progress', ['[]', '7', '{"done":"x"}']],
]
const writings = fc.constantFrom(
  ...COLUMNS.flatMap(([column, values]) =>
    values.map((value) => ({
      column,
      value: column.includes('_path') || /^-?\d+$/.test(value) ? value : `'${value}'`,
    })),
  ),
)
type Case = { readonly deed: Deed; readonly written: { column: string; value: string } | null }
const cases: fc.Arbitrary<Case> = fc.oneof(
  fc.oneof(returns, throws, delays, notes).map((each) => ({ deed: each, written: null })),
  writings.map((written) => ({ deed: () => 'ran', written })),
)

describeEachDatabase((database) => {
  let dataSource: DataSource
  const count = async (condition: string): Promise<number> => {
    const [{ n }] = await dataSource.query(
      `SELECT count(*) AS n FROM db_task_result WHERE ${condition}`,
    )
    return Number(n)
  }

  beforeAll(async () => {
    setLogger({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} })
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource },
      },
    })
  })

  /** Nothing is claimed before the guilty row is as it should be, so it stands in the middle of a batch. */
  async function enqueued({ deed: wanted, written }: Case): Promise<string> {
    await dataSource.getRepository(DBTaskResult).clear()
    deed = wanted
    runs = 0
    await innocent.enqueueMany(Array.from({ length: INNOCENTS / 2 }, (_, i): [number] => [i]))
    const { id } = await guilty.enqueue()
    if (written !== null) {
      const key =
        database.name === 'sqlite' || database.name === 'mysql' ? id.replaceAll('-', '') : id
      // What the table itself refuses nobody can have written.
      await dataSource
        .query(`UPDATE db_task_result SET ${written.column} = ${written.value} WHERE id = '${key}'`)
        .catch(() => {})
    }
    await innocent.enqueueMany(Array.from({ length: INNOCENTS / 2 }, (_, i): [number] => [i]))
    return id
  }

  /** A guilty task that asked to be tried again has ended as often as it has begun. */
  async function ended(): Promise<void> {
    const open = `task_path = 'fuzz.innocent' AND status IN ('READY', 'RUNNING')`
    const isOpen = async (): Promise<boolean> =>
      (await count(open)) > 0 ||
      (runs < 2 &&
        (await count(`status = 'RUNNING' OR (status = 'READY' AND run_after > '9998-12-31')`)) > 0)
    for (const deadline = Date.now() + 30_000; await isOpen();)
      if (Date.now() > deadline) throw new Error(`${await count(open)} innocent tasks are open.`)
      else await new Promise((resolve) => setTimeout(resolve, 5))
  }

  it(
    `${INNOCENTS} innocent tasks end well at their first run beside one of ${CASES} guilty ones`,
    () =>
      fc.assert(
        fc.asyncProperty(cases, async (given) => {
          await enqueued(given)
          const worker = await startWorker({ interval: 20, concurrency: 20 })
          try {
            await ended()
          } finally {
            await worker.stop()
          }
          const well = await dataSource
            .getRepository(DBTaskResult)
            .findBy({ status: 'SUCCESSFUL', taskPath: 'fuzz.innocent' })
          const once = well.filter(({ workerIds }) => workerIds.length === 1)
          expect(once.length).toBe(INNOCENTS)
        }),
        { numRuns: CASES, seed: SEED, endOnFailure: true },
      ),
    60_000 + CASES * 2_000,
  )
})
