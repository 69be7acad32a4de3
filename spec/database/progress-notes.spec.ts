import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty, setLogger, task } from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'

const innocent = task('notes.innocent', async () => 'done')

/** Notes of which no database could store the text as it was given. */
const notes: [string, string, string][] = [
  ['is cut inside an emoji', `${'x'.repeat(999)}😀`, `${'x'.repeat(999)}\ufffd`],
  ['holds NUL', 'a\u0000b', 'a\\u0000b'],
  ['holds half an emoji', 'a\ud83db', 'a\ufffdb'],
]

/** Its argument says which, since arguments may not hold such texts. */
const note = task(
  'notes.note',
  async (context, which: number) => context.reportProgress(1, 1, notes[which]![1]),
  { takesContext: true },
)

describeEachDatabase((database) => {
  let dataSource: DataSource

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

  it.each(notes)(
    'stores a note that %s, and the outcomes beside it',
    async (what, _text, stored) => {
      const guilty = await note.enqueue(notes.findIndex(([name]) => name === what))
      const neighbours = await innocent.enqueueMany([[], [], []])

      await runUntilEmpty()

      expect(await guilty.refresh()).toMatchObject({
        status: 'SUCCESSFUL',
        progress: { done: 1, total: 1, note: stored },
      })
      for (const neighbour of neighbours)
        expect(await neighbour.refresh()).toMatchObject({ status: 'SUCCESSFUL', attempts: 1 })
    },
  )
})
