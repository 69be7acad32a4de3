import { scenarios } from './kit/scenario'

const ODDITIES: [string, string, string][] = [
  ['text', 'Error', 'a text'],
  ['nothing', 'Error', 'undefined'],
  ['null', 'Error', 'null'],
  ['hostile toString', 'Error', ''],
  ['frozen', 'RangeError', 'frozen'],
  ['cyclic', 'Error', 'cyclic'],
  ['revoked', 'Error', ''],
  ['megabytes', 'Error', 'cut, 5'],
]

scenarios((add) => {
  add(
    'F22 whatever a task throws, it is FAILED with a bounded text, and the worker goes on',
    async (field) => {
      const ids = await field.enqueue(
        'throws',
        ODDITIES.map(([what]) => [what]),
      )
      const after = await field.enqueue('count')
      const worker = await field.worker()

      await field.finished([...ids, ...after])

      for (const [i, [what, kind, told]] of ODDITIES.entries()) {
        const { status, exceptionClassPath, traceback } = await field.row(ids[i]!)
        expect([what, status, exceptionClassPath]).toEqual([what, 'FAILED', kind])
        expect(traceback).toContain(told)
        expect(traceback.length).toBeLessThan(70_000)
      }
      expect((await field.row(after[0]!)).status).toBe('SUCCESSFUL')
      expect(worker.isOver).toBe(false)
    },
  )

  for (const how of ['rejection', 'exception'])
    add(
      `F23 after a stray ${how} the worker stops in order, with 1; what had finished stays`,
      async (field) => {
        const [stray] = await field.enqueue('stray', [[how, 400]])
        const [beside] = await field.enqueue('sleep', [[1_200]])
        const worker = await field.worker()

        expect(await worker.ended).toEqual({ code: 1, signal: null })

        expect((await field.row(stray!)).status).toBe('SUCCESSFUL')
        expect((await field.row(beside!)).status).toBe('SUCCESSFUL')
        expect(worker.log).toContain('Uncaught error: RangeError')
      },
    )
})
