import { readdirSync } from 'node:fs'
import { cliApp, DATABASE_TASKS, ormconfig, type CliApp, type Told } from '../support/cli-app'

const COMMANDS = [
  ['check'],
  ['db_worker', '--batch'],
  ['prune_db_task_results'],
  ['results'],
  ['enqueue', 'app.add', '[1]'],
]
const QUEUE = 'expected a queue name of 1 to 32 letters, digits and _ . : @ / -'
const LONG = 'q'.repeat(33)

describe('a set-up that is not right is said in one line, by every command, which ends in 1', () => {
  /** What each command says; `check` adds a count of its own to it. */
  async function everyCommand(
    app: CliApp,
    commands = COMMANDS,
  ): Promise<Pick<Told, 'code' | 'stderr'>[]> {
    const told: Pick<Told, 'code' | 'stderr'>[] = []
    for (const command of commands) {
      const { code, stderr, stdout } = await app.tasks(...command)
      told.push({ code, stderr: stderr + (command[0] === 'check' ? '' : stdout) })
    }
    return told
  }

  it('two DataSources in one file', async () => {
    const app = await cliApp({
      files: {
        'ormconfig.js': `
      const { DataSource } = require('typeorm')
      exports.read = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite' })
      exports.write = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite' })`,
      },
    })

    const stderr = `error: ${app.root}/ormconfig.js exports 2 DataSources: read, write. Export only one, or pass with --data-source a file that exports only the DataSource with the tasks table.\n`
    const commands = [...COMMANDS, ['makemigrations']]
    expect(await everyCommand(app, commands)).toEqual(commands.map(() => ({ code: 1, stderr })))
  })

  it('a file without a DataSource', async () => {
    const app = await cliApp({ files: { 'ormconfig.js': 'exports.settings = {}' } })

    expect(await app.tasks('makemigrations')).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${app.root}/ormconfig.js exports no DataSource; its exports are: settings. Add to it: export const dataSource = new DataSource({ … })\n`,
    })
  })

  it('a table that is missing, of which makemigrations makes one', async () => {
    const app = await cliApp({
      files: {
        'ormconfig.js': `${ormconfig({ type: 'better-sqlite3', database: 'other.sqlite' })}\nexports.dataSource.setOptions({ migrations: ['migrations/*.js'] })`,
      },
    })

    const told = await everyCommand(app)

    expect(told).toEqual(
      COMMANDS.map(() => ({
        code: 1,
        stderr: `error: The table "db_task_result" does not exist. Apply the app's migrations: \`npx typeorm migration:run -d <data source file>\`; if none of them makes it, run \`npx tasks makemigrations\` first.\n`,
      })),
    )
    expect((await app.tasks('makemigrations')).code).toBe(0)
    const again = await Promise.all([
      app.tasks('makemigrations'),
      app.tasks('makemigrations', '--check'),
      app.tasks('makemigrations', '--dry-run'),
    ])
    const pending = {
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: 1 migration is not applied: DbTaskResult\d{13}\. Apply it first: npx typeorm migration:run -d <data source file>\n$/,
      ),
    }
    expect(again).toEqual([pending, pending, pending])
    expect(readdirSync(`${app.root}/migrations`)).toHaveLength(1)
  })

  it('a table that lacks a column; the rows in it stay as they are', async () => {
    const app = await cliApp()
    await app.enqueue('app.add', [[1]])
    await app.dataSource.query('ALTER TABLE db_task_result DROP COLUMN cancel_requested_at')

    for (const { code, stderr } of await everyCommand(app)) {
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /^error: The table "db_task_result" lacks (a column: .*|the column ".*)cancel_requested_at.* Apply the app's migrations: .*; if none of them makes it, run `npx tasks makemigrations` first\.\n$/,
      )
    }
    expect(
      await app.dataSource.query(
        'SELECT status, count(*) AS n FROM db_task_result GROUP BY status',
      ),
    ).toEqual([{ status: 'READY', n: 1 }])
  })

  it.each([
    [
      `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { datasource: 1 } } }`,
      'TASKS.default.OPTIONS: unknown key "datasource". Did you mean "dataSource"?',
    ],
    [
      `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [], OPTIONS: { dataSource: { type: 'postgres' } } } }`,
      'TASKS.default.OPTIONS.dataSource: expected a DataSource, got an object (Object). Pass `new DataSource({ … })`.',
    ],
    [
      `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabasBackend' } }`,
      'TASKS.default.BACKEND: "typeorm-tasks/backends/database#DatabasBackend" is not exported. Did you mean "typeorm-tasks/backends/database#DatabaseBackend"?',
    ],
    [
      `{ default: { BACKEND: 'DatabaseBackend' } }`,
      `TASKS.default.BACKEND: "DatabaseBackend" is not of the form 'module#Export'. Did you mean "typeorm-tasks/backends/database#DatabaseBackend"?`,
    ],
    [
      `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: 'mail' } }`,
      "TASKS.default.QUEUES: expected a list of queue names, got 'mail'. Correct the setting.",
    ],
    [
      `{ 'a b': { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend' } }`,
      `TASKS.a b (the alias is stored in each row): ${QUEUE}, got 'a b'. Rename the queue.`,
    ],
  ])('TASKS = %s', async (tasks, message) => {
    const app = await cliApp({ tasks })

    expect(await app.tasks('db_worker', '--batch')).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })
})

describe('a wrong call ends in 2, and changes nothing', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp({ tasks: DATABASE_TASKS })
    await app.enqueue('app.add', [[1]])
  })

  it.each([
    [
      ['prune_db_task_results', '--min-age-days', '0', '--queue-name', 'a;b'],
      `argument --queue-name: ${QUEUE}, got 'a;b'. Rename the queue.`,
    ],
    [
      ['prune_db_task_results', '--min-age-days', '0', '--queue-name', LONG],
      `argument --queue-name: ${QUEUE}, got '${LONG}'. Rename the queue.`,
    ],
    [
      ['enqueue', 'app.add', '--queue-name', `it's`],
      `argument --queue-name: ${QUEUE}, got 'it's'. Rename the queue.`,
    ],
    [
      ['enqueue', 'app.add', '--queue-name', LONG],
      `argument --queue-name: ${QUEUE}, got '${LONG}'. Rename the queue.`,
    ],
    [
      ['enqueue', 'app.add', '--kwargs', '[1]'],
      `argument --kwargs: expected a JSON object such as '{"tone": "warm"}' in single quotes, got '[1]'. See --help.`,
    ],
    [
      ['results', '--queue-name', '"mail"'],
      `argument --queue-name: ${QUEUE}, got '"mail"'. Rename the queue.`,
    ],
    [
      ['db_worker', '--queue-name', '*', '--exclude-queues', 'a;b'],
      `argument --exclude-queues: ${QUEUE}, got 'a;b'. Rename the queue.`,
    ],
    [
      ['db_worker', '--max-tasks', '1.5'],
      "argument --max-tasks: expected a whole number, 0 or more, got '1.5'. See --help.",
    ],
  ])('%j', async (args, message) => {
    expect(await app.tasks(...args)).toEqual({ code: 2, stdout: '', stderr: `error: ${message}\n` })
    expect((await app.rows()).map(({ status }) => status)).toEqual(['READY'])
  })

  it('a task name of 300 characters is refused, as a failure', async () => {
    const name = 'n'.repeat(300)

    expect(await app.tasks('enqueue', name, '--remote')).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: A task's name must be a dotted identifier of at most 255 characters, got '${name}'. Name it like "mail.sendWelcome": letters, digits and _, parts joined by single dots.\n`,
    })
    expect(await app.rows()).toHaveLength(1)
  })
})
