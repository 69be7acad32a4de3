import { setTimeout as sleep } from 'node:timers/promises'
import { scenarios } from './kit/scenario'
import { claimsOf, LEASE, TAKEOVER_BOUND } from './kit/timing'
import type { Field } from './kit/field'
import type { WorkerProcess } from './kit/worker-process'

scenarios((add) => {
  add(
    'F17 a worker that stood still finds its task taken over, tells it to stop, and writes nothing of it',
    async (field) => {
      const { id, stalled } = await takenOver(field, 'stubborn', [2.5 * LEASE])
      await stalled.says('was taken over meanwhile by claim 2; the result of claim 1 is discarded')
      await field.finished()
      // It may have been stopped before its run had begun to wait.
      await field.sees('end', 2, 3 * LEASE)

      const { events } = field
      expect(events.filter(({ event }) => event === 'abort')).toMatchObject([
        { id, claim: 1, note: 'LeaseLost' },
      ])
      expect(new Set(claimsOf(events, id, 'end'))).toEqual(new Set([1, 2]))
      expect(await field.row(id)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        workerIds: ['w1', 'w2'],
        returnValue: { claim: 2 },
      })
      expect(stalled.log).not.toContain(`id=${id} path=fault.stubborn state=SUCCESSFUL`)
    },
  )

  add(
    'F18 a success that comes late does not undo the failure of the run that took over',
    async (field) => {
      const { id, stalled } = await takenOver(field, 'second', [300, 'fails'], () =>
        field.finished(),
      )
      await stalled.says('is discarded')

      expect(await field.row(id)).toMatchObject({
        status: 'FAILED',
        claims: 2,
        exceptionClassPath: 'RangeError',
      })
      expect(stalled.log).not.toContain('state=SUCCESSFUL')
    },
  )

  add(
    'F19 a worker that stood still for longer than its lease, with nobody to take over, goes on with its task',
    async (field) => {
      const [id] = await field.enqueue('sleep', [[LEASE + 3_000]])
      const worker = await field.worker()
      await field.sees('start')
      worker.kill('SIGSTOP')
      await sleep(LEASE + 1_500)

      worker.kill('SIGCONT')
      await field.finished()

      expect(await field.row(id!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 1,
        attemptErrors: null,
      })
    },
  )

  add(
    'F20 a task that blocks its worker for three leases is taken over, and what its run came to is dropped',
    async (field) => {
      const [id] = await field.enqueue('block', [[3 * LEASE]])
      const blocked = await field.worker()
      await field.sees('start')
      await field.worker()

      expect(await field.finished()).toBeLessThan(TAKEOVER_BOUND)
      await blocked.says('the result of claim 1 is discarded')

      expect(claimsOf(field.events, id!, 'end')).toEqual([2, 1])
      expect(await field.row(id!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        workerIds: ['w1', 'w2'],
        returnValue: { claim: 2 },
      })
    },
  )
})

/** A task whose worker is stopped in the middle of it; it goes on after twice its lease, when another one has the row. */
async function takenOver(
  field: Field,
  task: string,
  args: unknown[],
  andThen: () => Promise<unknown> = async () => {},
): Promise<{ id: string; stalled: WorkerProcess }> {
  const [id] = await field.enqueue(task, [args])
  const stalled = await field.worker()
  await field.sees('start')
  stalled.kill('SIGSTOP')
  const stopped = Date.now()
  await field.worker()
  await field.sees('start', 2, TAKEOVER_BOUND + 1_000)
  await andThen()
  await sleep(Math.max(0, stopped + 2 * LEASE - Date.now()))
  stalled.kill('SIGCONT')
  return { id: id!, stalled }
}
