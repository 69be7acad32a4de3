import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty, startWorker, task } from 'typeorm-tasks'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { searchPath, folderWith } from '../support/servers/binaries'
import type { DatabaseName } from '../support/servers/wanted'

const page = readFileSync(join(__dirname, '../../docs/guide/other-languages.md'), 'utf8')
const SECTION: Record<DatabaseName, string> = {
  sqlite: 'SQLite',
  postgres: 'PostgreSQL',
  mariadb: 'MySQL and MariaDB',
  mysql: 'MySQL and MariaDB',
}

const sendWelcome = task('mail.send_welcome', async (name: string, id: number) => `${name}: ${id}`)

describeEachDatabase((database) => {
  let dataSource: DataSource

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
    configureTasks({ default: { BACKEND, OPTIONS: { dataSource } } })
  })

  it('a worker runs the rows that the page writes, and their results are read', async () => {
    const [insert = ''] = blocksIn(SECTION[database.name])
    for (let row = 0; row < 3; row++) await write(dataSource, insert)

    await runUntilEmpty()

    const rows = await dataSource.getRepository(DBTaskResult).find()
    expect(rows.map(({ traceback }) => traceback)).toEqual(['', '', ''])
    for (const { id } of rows) {
      const result = await sendWelcome.getResult(id)
      expect(result.returnValue).toBe('Ann: 42')
      expect(result.attempts).toBe(1)
      expect(Math.abs(result.startedAt!.getTime() - result.enqueuedAt!.getTime())).toBeLessThan(
        60_000,
      )
    }
    const read = await dataSource.query<{ status: string }[]>(blocksIn('Reading the result')[0]!)
    expect(read.map(({ status }) => status)).toEqual(['SUCCESSFUL', 'SUCCESSFUL', 'SUCCESSFUL'])
  })

  it('a row with a later run_after waits', async () => {
    const [insert = ''] = blocksIn(SECTION[database.name])
    const later = insert.replace('9999-01-01', '2999-01-01')
    expect(later).not.toBe(insert)
    await dataSource.getRepository(DBTaskResult).clear()
    await write(dataSource, later)

    await runUntilEmpty()

    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'READY' })).toBe(1)
    await dataSource.getRepository(DBTaskResult).clear()
  })

  if (database.name === 'postgres') {
    it('the NOTIFY of the page wakes an idle worker', async () => {
      const [insert = '', notify = ''] = blocksIn('PostgreSQL')
      const worker = await startWorker({ interval: 60_000 })
      try {
        // Its first poll has found nothing by then; the next one is a minute later.
        await sleep(3_000)
        await write(dataSource, `BEGIN;\n${insert}\n${notify}\nCOMMIT;`)
        const { id } = await dataSource
          .getRepository(DBTaskResult)
          .findOneByOrFail({ argsKwargs: { args: ['Ann', 42], kwargs: {} } })
        const result = await sendWelcome.getResult(id)
        expect((await result.wait({ timeout: 20_000 })).returnValue).toBe('Ann: 42')
      } finally {
        await worker.stop()
      }
    })

    it('the statement for Prisma is one that PostgreSQL takes with a parameter', async () => {
      const [, sql = ''] = /\$executeRaw`([^`]*)`/.exec(page) ?? []
      expect(sql).toContain('${call}')
      await dataSource.getRepository(DBTaskResult).clear()
      const call = JSON.stringify({ args: ["O'Neil", 7], kwargs: {} })
      await dataSource.query(sql.replace('${call}', '$1'), [call])

      await runUntilEmpty()

      const [row] = await dataSource.getRepository(DBTaskResult).find()
      expect(row!.returnValue).toBe("O'Neil: 7")
    })
  }
})

/** The SQL of a section of the page, as it is printed there. */
function blocksIn(title: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? ''
  return [...section.matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(([, text = '']) => text)
}

/** By psql, as another program would, where that is installed; else by the driver. */
async function write(dataSource: DataSource, sql: string): Promise<void> {
  const options = dataSource.options as FreshOptions
  const folder = folderWith(searchPath(), 'psql')
  if (options.type !== 'postgres' || folder === undefined) return void (await dataSource.query(sql))
  const { host, port, username, password, database } = options
  const address = ['-h', String(host), '-p', String(port), '-U', String(username)]
  execFileSync(
    join(folder, 'psql'),
    ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...address, '-d', String(database)],
    {
      input: sql,
      env: { ...process.env, PGPASSWORD: String(password) },
      stdio: ['pipe', 'ignore', 'pipe'],
    },
  )
}
