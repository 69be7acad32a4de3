import { remoteTask, setTracer, type Tracer } from 'typeorm-tasks'
import { catchLog } from '../support/tasks'
import { describeBesideDjango } from './harness/shared-table'

/** A batch of each worker, on a machine that is four times slower than usual. */
const LIMIT_MS = 120_000
const CONTEXT = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=1' }

const add = remoteTask<[a: unknown, b: unknown], unknown>('shared.tasks.add')
const tracer: Tracer = {
  send: (_, store) => store(CONTEXT),
  begin: () => ({ context: CONTEXT, within: (work) => work(), end: () => {} }),
  inChild: (_, work) => work(),
  untraced: (work) => work(),
}

beforeAll(() => catchLog())
afterAll(() => setTracer(undefined))

describeBesideDjango((shared) => {
  it(
    'rows with a trace are run by a Django worker, shown by its admin, and keep their trace',
    async () => {
      const { django, dataSource } = shared()
      setTracer(tracer)
      const results = await add.enqueueMany([
        [1, 2],
        [3, 4],
      ])
      setTracer(undefined)
      await django.runBatch('--queue-name', '*', '--worker-id', 'django-1')

      for (const result of results) await result.refresh()
      expect(results.map(({ returnValue }) => returnValue)).toEqual([3, 7])
      const ids = results.map(({ id }) => id)
      expect(await django.get(...ids)).toMatchObject([{ return_value: 3 }, { return_value: 7 }])
      expect((await django.admin(...ids)).length).toBeGreaterThan(0)
      for (const id of ids)
        expect(
          await dataSource
            .getRepository<{ id: string; options: unknown }>('DBTaskResult')
            .findOneByOrFail({ id }),
        ).toMatchObject({ options: { trace: CONTEXT } })
    },
    LIMIT_MS,
  )
})
