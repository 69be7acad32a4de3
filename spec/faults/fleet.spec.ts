import { scenarios } from './kit/scenario'
import { claimsOf } from './kit/timing'

const WORKERS = 20

scenarios((add) => {
  add(
    'F25 twenty workers that start together run 200 tasks once each, and each has a share',
    async (field) => {
      const ids = await field.enqueue(
        'gather',
        Array.from({ length: 200 }, () => [WORKERS]),
      )

      const workers = Array.from({ length: WORKERS }, () => field.start(['--concurrency', '5']))
      await field.finished(ids, 60_000)

      const { events } = field
      expect(ids.filter((id) => claimsOf(events, id).length !== 1)).toEqual([])
      expect(new Set((await field.rows()).map(({ workerIds }) => workerIds[0])).size).toBe(WORKERS)
      const strange = workers
        .flatMap(({ log }) => log.split('\n'))
        .filter(
          (line) => !/^(Starting worker .*|Task id=.* state=(RUNNING|SUCCESSFUL))?$/.test(line),
        )
      expect(strange).toEqual([])
    },
  )
})
