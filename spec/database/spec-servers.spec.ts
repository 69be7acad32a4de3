import { existsSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { DataSource } from 'typeorm'
import { deskCard } from '../support/servers/ask'
import { startMariaDb } from '../support/servers/mariadb'
import { startPostgres } from '../support/servers/postgres'
import type { Server } from '../support/servers/server'
import { wanted } from '../support/servers/wanted'
import { typeormEnv, typeormVersion } from '../support/typeorm'

const { names, missing } = deskCard()
const starters = [
  { type: 'postgres', start: startPostgres },
  { type: 'mariadb', start: startMariaDb },
] as const

for (const { type, start } of starters) {
  const run = names.includes(type) && missing[type] === undefined ? describe : describe.skip
  run(`a ${type} server of the spec's own`, () => {
    let server: Server
    beforeAll(async () => {
      server = await start()
    })
    afterAll(() => server.stop())

    it('keeps what was committed when it is killed, and comes back on its port', async () => {
      const address = await server.fresh()
      await once(type, address, 'CREATE TABLE note (id integer)')
      await once(type, address, 'INSERT INTO note VALUES (7)')

      await server.kill()
      await expect(once(type, address, 'SELECT 1')).rejects.toThrow()
      await server.restart()

      expect(await once(type, address, 'SELECT id FROM note')).toEqual([{ id: 7 }])
    })

    it('leaves neither process nor data when it is stopped', async () => {
      const other = await start()
      const { pid, folder } = other

      await other.stop()

      expect(() => process.kill(pid!, 0)).toThrow('ESRCH')
      expect(existsSync(folder)).toBe(false)
    })
  })
}

it('gives child processes the TypeORM of the spec, by require and by import', () => {
  const require = `console.log(require('typeorm').DataSource.prototype.buildMetadatas !== undefined, require.resolve('typeorm'))`
  const imported = `import { DataSource } from 'typeorm'; import { createRequire } from 'node:module'
    console.log(DataSource === createRequire(import.meta.url)('typeorm').DataSource)`
  const run = (...args: string[]) =>
    execFileSync(process.execPath, args, { env: typeormEnv(), encoding: 'utf8' }).trim()

  expect(run('-e', require)).toBe(
    `true ${process.cwd()}/node_modules/${typeormVersion.startsWith('0.3') ? 'typeorm-0.3' : 'typeorm'}/index.js`,
  )
  expect(run('--input-type=module', '-e', imported)).toBe('true')
})

it('says which database name in DB is wrong', () => {
  expect(() => wanted('sqlite,postgre')).toThrow(
    'DB names the database "postgre"; known are sqlite, postgres, mariadb. Did you mean "postgres"?',
  )
})

async function once(
  type: 'postgres' | 'mariadb',
  address: Awaited<ReturnType<Server['fresh']>>,
  sql: string,
): Promise<unknown> {
  const dataSource = await new DataSource({ type, ...address }).initialize()
  try {
    return await dataSource.query(sql)
  } finally {
    await dataSource.destroy()
  }
}
