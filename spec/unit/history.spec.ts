import fc from 'fast-check'
import {
  type AttemptError,
  historyOf,
  omittedOf,
  tallyOf,
  withError,
  withFailure,
  withRetry,
} from '#history'

type Kind = 'failure' | 'crash' | 'retried'

const error = (at: number, text = ''): AttemptError => ({
  exceptionClassPath: 'RangeError',
  traceback: `RangeError: ${at}${text}\n`,
})

/** The history after these, as rows and workers make it, with one more worker id for each. */
function historyAfter(
  kinds: readonly Kind[],
  text = '',
): {
  errors: AttemptError[]
  workerIds: string[]
} {
  let errors: AttemptError[] = []
  let workerIds: string[] = []
  for (const [at, kind] of kinds.entries()) {
    workerIds.push(`w-${at}`)
    if (kind === 'retried') {
      errors = withRetry(errors, error(at, text))
      continue
    }
    const isLong = workerIds.length >= 100
    errors = withError(
      { errors, workerIds },
      kind === 'crash' ? { ...error(at, text), crash: true } : error(at, text),
    )
    if (isLong) workerIds = workerIds.toSpliced(10, 1)
  }
  return { errors, workerIds }
}

const anyKinds = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.constant<Kind>('failure') },
    { weight: 5, arbitrary: fc.constant<Kind>('crash') },
    { weight: 1, arbitrary: fc.constant<Kind>('retried') },
  ),
  { maxLength: 250 },
)

it('counts the same as if nothing had been left out', () => {
  fc.assert(
    fc.property(anyKinds, (kinds) => {
      const { errors, workerIds } = historyAfter(kinds)
      const since = kinds.slice(kinds.lastIndexOf('retried') + 1)
      const omitted = omittedOf(errors)
      expect(tallyOf(errors)).toMatchObject({
        failures: since.filter((kind) => kind === 'failure').length,
        crashes: since.filter((kind) => kind === 'crash').length,
      })
      expect(errors.filter((entry) => !entry.omitted).length + omitted.errors).toBe(kinds.length)
      expect(workerIds.length + omitted.workers).toBe(kinds.length)
    }),
    { numRuns: 300 },
  )
})

it('keeps the first and the last errors, and at most 64 KiB of JSON', () => {
  fc.assert(
    fc.property(
      anyKinds,
      fc.constantFrom('', 'x'.repeat(3_000), '"\n'.repeat(30_000), '\u0001😀'.repeat(20_000)),
      (kinds, text) => {
        const { errors } = historyAfter(kinds.slice(0, 60), text)
        const numbers = errors
          .filter(({ omitted }) => !omitted)
          .map(({ traceback }) => Number(/RangeError: (\d+)/.exec(traceback)?.[1]))
        const all = [...kinds.slice(0, 60).keys()]
        expect(numbers).toEqual(all.length > 20 ? [...all.slice(0, 10), ...all.slice(-10)] : all)
        expect(Buffer.byteLength(JSON.stringify(errors))).toBeLessThanOrEqual(64 * 1024)
        expect(historyOf(JSON.parse(JSON.stringify(errors)))).toEqual(errors)
      },
    ),
    { numRuns: 40 },
  )
})

it('says how long a text was that was cut several times', () => {
  const { errors } = historyAfter(Array<Kind>(30).fill('failure'), 'x'.repeat(50_000))

  expect(errors[0]!.traceback).toMatch(/^RangeError: 0x+\n… cut, 5001\d characters in all\n$/)
})

it('leaves short histories as they are', () => {
  const errors = [error(1), error(2)]

  expect(withError({ errors, workerIds: ['a', 'b', 'c'] }, error(3))).toEqual([...errors, error(3)])
})

it('takes a WorkerLost without a mark for a lost worker, and one that a task threw for its failure', () => {
  const lost = { exceptionClassPath: 'typeorm_tasks.WorkerLost', traceback: 'WorkerLost\n' }
  const errors = withFailure({ errors: [lost], workerIds: ['a', 'b'] }, lost)

  expect(tallyOf(historyOf(JSON.parse(JSON.stringify(errors)))!)).toEqual({
    failures: 1,
    crashes: 1,
  })
})

it('does not keep what others wrote into an entry beside the error', () => {
  expect(
    historyOf([{ ...error(1), more: 'x'.repeat(1_000_000), crash: 1, retried: 'yes' }]),
  ).toEqual([error(1)])
})
