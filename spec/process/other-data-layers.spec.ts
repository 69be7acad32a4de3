import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databases, type FreshOptions } from '../support/databases'
import { link, newApp, repository } from '../support/linked-app'

jest.setTimeout(240_000)

const page = readFileSync(join(repository, 'docs/guide/transactions.md'), 'utf8')
/** What Drizzle and Knex load themselves. */
const drivers = ['pg', 'mysql2', 'better-sqlite3']

let others: string

beforeAll(() => {
  others = newApp([])
  rmSync(join(others, 'node_modules'), { recursive: true })
  writeFileSync(join(others, 'package.json'), '{ "private": true }')
  execFileSync(
    'npm',
    [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--legacy-peer-deps',
      'drizzle-orm@0.45',
      'knex@3',
    ],
    { cwd: others, stdio: ['ignore', 'ignore', 'inherit'] },
  )
  for (const name of drivers)
    link(join(repository, 'node_modules', name), join(others, 'node_modules', name))
})

describe.each(['typeorm', 'typeorm-0.3'])('beside %s', (typeorm) => {
  let app: string

  beforeAll(() => (app = appWith(typeorm)))

  const onPostgres = databases().find(({ name }) => name === 'postgres')
  const go = onPostgres ? it : it.skip

  go.each(['sign-up-drizzle.js', 'sign-up-knex.js'])(
    'a task of %s commits and rolls back with the other rows',
    async (file) => {
      const options = await onPostgres!.fresh()
      const { host, port, username, password, database } = options as Address
      writeApp(app, options, blockOf(file), file)
      const DATABASE_URL = `postgresql://${username}:${password}@${host}:${port}/${database}`

      expect(run(app, { DATABASE_URL })).toEqual(EXPECTED)
    },
  )

  const small = databases().filter(({ name }) => name === 'sqlite' || name === 'mariadb')
  const goes = small.length > 0 ? it.each(small) : it.skip.each([{ name: 'none' }])

  goes('a task of Knex commits and rolls back with the other rows on $name', async (database) => {
    const options = await (database as (typeof small)[number]).fresh()
    writeApp(app, options, knexOn(options), 'sign-up.js')

    expect(run(app, {})).toEqual(EXPECTED)
  })
})

interface Address {
  host: string
  port: number
  username: string
  password: string
  database: string
}

const EXPECTED = {
  before: 0,
  people: ['Ann'],
  done: ['Ann is welcome'],
}

/** An app with its own TypeORM, which the packed files, copied, find beside them. */
function appWith(typeorm: string): string {
  const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const app = newApp([...drivers, 'reflect-metadata', ...Object.keys(dependencies)])
  link(join(repository, 'node_modules', typeorm), join(app, 'node_modules/typeorm'))
  for (const name of ['drizzle-orm', 'knex'])
    link(join(others, 'node_modules', name), join(app, 'node_modules', name))
  const own = join(app, 'node_modules/typeorm-tasks')
  rmSync(own)
  mkdirSync(own)
  for (const name of ['dist', 'package.json'])
    cpSync(join(repository, name), join(own, name), { recursive: true })
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
  return app
}

function blockOf(file: string): string {
  const [, text] = new RegExp(`^\`\`\`js\n(// ${file}\n[\\s\\S]*?)^\`\`\``, 'm').exec(page) ?? []
  if (text === undefined) throw new Error(`The page has no block "// ${file}".`)
  return text
}

/** The page's Knex with another driver, which returns ids and no rows. */
function knexOn(options: FreshOptions): string {
  const { host, port, username: user, password, database } = options as Address
  const settings =
    options.type === 'better-sqlite3'
      ? {
          client: 'better-sqlite3',
          connection: { filename: database },
          useNullAsDefault: true,
        }
      : { client: 'mysql2', connection: { host, port, user, password, database } }
  return blockOf('sign-up-knex.js')
    .replace(/knex\(\{.*\}\)/, `knex(${JSON.stringify(settings)})`)
    .replace(
      "const [person] = await trx('people').insert({ name }).returning('*')",
      "const [id] = await trx('people').insert({ name })\n    const person = { id, name }",
    )
}

function writeApp(app: string, options: FreshOptions, signUp: string, file: string): void {
  const files = {
    'ormconfig.js': `import 'reflect-metadata'
import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
export const dataSource = new DataSource({ ...${JSON.stringify(options)}, entities: [DBTaskResult], synchronize: true })
configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })
`,
    'mail.tasks.js': `import { task } from 'typeorm-tasks'
import { dataSource } from './ormconfig.js'
export const sendWelcome = task('mail.send_welcome', async (id) => {
  const [person] = await dataSource.query('SELECT name FROM people WHERE id = ' + Number(id))
  return person.name + ' is welcome'
})
`,
    [file]: signUp,
    'main.js': mainOf(file, options.type),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(app, name), text)
}

/** One sign-up that commits, and one that fails after its task is enqueued. */
function mainOf(file: string, type: string): string {
  const id = { postgres: 'serial', 'better-sqlite3': 'integer' }[type] ?? 'int auto_increment'
  return `import { DBTaskResult, runUntilEmpty, setMiddleware } from 'typeorm-tasks'
import { dataSource } from './ormconfig.js'
import { signUp } from './${file}'

await dataSource.initialize()
await dataSource.query('CREATE TABLE people (id ${id} primary key, name varchar(20) not null)')
const rows = dataSource.getRepository(DBTaskResult)
let before
let rollsBack = false
setMiddleware([{
  enqueue: async (order, next) => {
    const result = await next()
    before ??= await rows.count()
    if (rollsBack) throw new Error('back')
    return result
  },
}])
await signUp('Ann')
rollsBack = true
await signUp('Bob').then(() => { throw new Error('Bob is there') }, ({ message }) => { if (message !== 'back') throw new Error(message) })
await runUntilEmpty()
const people = (await dataSource.query('SELECT name FROM people')).map(({ name }) => name)
const done = (await rows.find()).map(({ returnValue }) => returnValue)
console.log(JSON.stringify({ before, people, done }))
process.exit()
`
}

function run(app: string, env: Record<string, string>): unknown {
  const said = execFileSync(process.execPath, ['main.js'], {
    cwd: app,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, ...env },
  })
  return JSON.parse(said.trim().split('\n').at(-1)!)
}
