import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty, setLogger, task } from 'typeorm-tasks'
import { databases } from '../support/databases'

const echo = task('charset.echo', async (text: string) => text)
const fail = task(
  'charset.fail',
  async (text: string): Promise<void> => {
    throw new Error(text)
  },
  { retry: { maxAttempts: 2, delay: 0 } },
)

const TEXTS = ['日本', '😀', 'café']
const servers = databases().filter(({ name }) => name !== 'sqlite' && name !== 'postgres')

/** The server's default for new databases is an old one: latin1 is MariaDB's own. Statements must not take it over for their texts. */
const cases = servers.flatMap((database) =>
  ['latin1', 'utf8mb3'].map((charset) => ({ database, charset })),
)

if (cases.length === 0) it.skip('needs MariaDB or MySQL', () => {})
else
  describe.each(cases)('in a database of $charset on $database.name', ({ database, charset }) => {
    let dataSource: DataSource

    beforeAll(async () => {
      setLogger({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} })
      const options = await database.fresh()
      const first = await new DataSource(options).initialize()
      await first.query(`ALTER DATABASE \`${String(options.database)}\` CHARACTER SET ${charset}`)
      await first.destroy()
      dataSource = await new DataSource({
        ...options,
        entities: [DBTaskResult],
        synchronize: true,
      }).initialize()
      configureTasks({
        default: {
          BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
          OPTIONS: { dataSource },
        },
      })
    })
    afterAll(async () => dataSource.destroy())

    it('keeps the text of arguments and return values', async () => {
      const results = await echo.enqueueMany(TEXTS.map((text) => [text]))

      await runUntilEmpty()

      for (const [i, result] of results.entries()) {
        await result.refresh()
        expect([result.args, result.returnValue]).toEqual([[TEXTS[i]], TEXTS[i]])
      }
    })

    it('keeps the text of errors, also of earlier attempts', async () => {
      const results = await fail.enqueueMany(TEXTS.map((text) => [text]))

      await runUntilEmpty()

      for (const [i, result] of results.entries()) {
        await result.refresh()
        expect(result.errors.map(({ traceback }) => traceback.split('\n')[0])).toEqual([
          `Error: ${TEXTS[i]}`,
          `Error: ${TEXTS[i]}`,
        ])
      }
    })
  })
