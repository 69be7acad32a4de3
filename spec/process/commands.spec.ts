import { type AddressInfo, createServer, type Server } from 'node:net'
import { version } from '../../package.json'
import { cliApp, DATABASE_TASKS, ormconfig, type CliApp } from '../support/cli-app'

let app: CliApp
beforeAll(async () => {
  app = await cliApp({
    tasks: `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: ['default', 'mail'] }, now: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' } }`,
  })
})

describe('the command line itself', () => {
  it('says its version', async () => {
    expect(await app.tasks('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it.each(['db_worker', 'prune_db_task_results', 'makemigrations', 'check', 'enqueue', 'results'])(
    'explains %s, with an example',
    async (command) => {
      const { code, stdout, stderr } = await app.tasks(command, '--help')

      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(new RegExp(`^Usage: tasks ${command} `))
      expect(stdout).toMatch(new RegExp(`Examples?:\n  \\$ npx tasks ${command}`))
      expect(stdout).toContain('-d, --data-source <file>')
    },
  )

  it.each([
    ['db-worker', '--batch', '--interval', '0'],
    ['prune-db-task-results'],
    ['make-migrations'],
    ['make_migrations'],
  ])('knows %s by that name, too', async (...args) => {
    expect((await app.tasks(...args)).code).toBe(0)
  })

  it('takes its options on either side of the command', async () => {
    const { stdout } = await app.tasks('-d', 'ormconfig.js', 'check', '-v2')

    expect(stdout).toContain('task app.add\n')
  })

  it('shows its help when it is told nothing, which is a wrong call', async () => {
    expect(await app.tasks()).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('Usage: tasks [options] [command]'),
    })
  })

  it.each([
    [['dbworker'], `unknown command 'dbworker'. Did you mean "db_worker"? See npx tasks --help.`],
    [
      ['retry', 'x'],
      `unknown command 'retry'. Did you mean "results retry"? See npx tasks --help.`,
    ],
    [
      ['prune', '--queue-name', 'a'],
      `unknown command 'prune'. Did you mean "prune_db_task_results"? See npx tasks --help.`,
    ],
    [['list'], `unknown command 'list'. Did you mean "results"? See npx tasks --help.`],
    [['elsewhere'], "unknown command 'elsewhere'. See npx tasks --help."],
    [['check', '--verbose'], "unknown option '--verbose'\n(Did you mean --verbosity?)"],
    [
      ['makemigrations', '--name', '1st'],
      'argument --name: "1st" is not a valid migration name. Use letters, digits, "-" and "_", starting with a letter.',
    ],
    [
      ['prune_db_task_results', '--min-age-days', '-1'],
      "argument --min-age-days: expected a number of days from 0 to 36500, got '-1'. See --help.",
    ],
    [
      ['prune_db_task_results', '--failed-min-age-days', 'x'],
      "argument --failed-min-age-days: expected a number of days from 0 to 36500, got 'x'. See --help.",
    ],
    [
      ['prune_db_task_results', '--backend', 'nope'],
      'argument --backend: TASKS has no backend "nope"; it has "default", "now". Did you mean "now"?',
    ],
    [
      ['prune_db_task_results', '--backend', 'now'],
      'argument --backend: TASKS.now is ImmediateBackend, which stores no tasks for workers. Backends that do: default.',
    ],
  ])('%j is a wrong call', async (args, message) => {
    expect(await app.tasks(...args)).toEqual({ code: 2, stdout: '', stderr: `error: ${message}\n` })
  })
})

describe('enqueue', () => {
  it('prints the id alone, and the row is as asked', async () => {
    const { code, stdout, stderr } = await app.tasks(
      'enqueue',
      'app.greet',
      '["Ann"]',
      '--kwargs',
      '{"greeting": "yo"}',
      '--priority',
      '-3',
      '--queue-name',
      'mail',
      '--run-after',
      '2030-01-31T18:00Z',
      '--unique-key',
      'ann',
    )

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(await app.row(stdout.trimEnd())).toMatchObject({
      taskPath: 'app.greet',
      argsKwargs: { args: ['Ann'], kwargs: { greeting: 'yo' } },
      priority: -3,
      queueName: 'mail',
      runAfter: new Date('2030-01-31T18:00Z'),
      uniqueKey: 'f:ann',
    })
    expect((await app.tasks('enqueue', 'app.greet', '--unique-key', 'ann')).stdout).toBe(stdout)
  })

  it("takes the task's own queue and priority when it is told none, and the task runs", async () => {
    const { stdout: id } = await app.tasks('enqueue', 'mail.send')
    expect(await app.row(id.trimEnd())).toMatchObject({
      queueName: 'mail',
      priority: 5,
      argsKwargs: { args: [], kwargs: {} },
    })

    await app.tasks('db_worker', '--batch', '--interval', '0', '--queue-name', 'mail')

    expect(await app.row(id.trimEnd())).toMatchObject({ status: 'SUCCESSFUL', returnValue: 'sent' })
  })

  it('writes a task that is defined elsewhere, if it is said to be', async () => {
    const { stdout: id } = await app.tasks(
      'enqueue',
      'django_app.tasks.add',
      '[1]',
      '--remote',
      '--queue-name',
      'mail',
    )

    expect(await app.row(id.trimEnd())).toMatchObject({
      taskPath: 'django_app.tasks.add',
      queueName: 'mail',
      status: 'READY',
    })
  })

  it.each([
    [['app.ad'], 1, 'No task is named "app.ad"; this process knows 5. Did you mean "app.add"?'],
    [
      ['.app.add', '--remote'],
      1,
      `A task's name must be a dotted identifier of at most 255 characters, got '.app.add'. Name it like "mail.sendWelcome": letters, digits and _, parts joined by single dots.`,
    ],
    [
      ['app add', '--remote'],
      1,
      `A task's name must be a dotted identifier of at most 255 characters, got 'app add'. Name it like "mail.sendWelcome": letters, digits and _, parts joined by single dots.`,
    ],
    [
      ['app.add', '--queue-name', 'mial'],
      1,
      'Task "app.add": queue "mial" is not in QUEUES of TASKS.default (default, mail). Did you mean "mail"?',
    ],
    [
      ['app.add', '[1]', '2'],
      2,
      "too many arguments for 'enqueue'. Expected 2 arguments but got 3.",
    ],
    [
      ['app.add', '1'],
      2,
      `argument args: expected a JSON array such as '[42, "warm"]' in single quotes, got '1'. See --help.`,
    ],
    [
      ['app.add', '--priority', '101'],
      2,
      "argument --priority: expected a whole number from -100 to 100, got '101'. See --help.",
    ],
    [
      ['app.add', '--priority', '3.1'],
      2,
      "argument --priority: expected a whole number from -100 to 100, got '3.1'. See --help.",
    ],
    [
      ['app.add', '--run-after', 'tomorrow'],
      2,
      "argument --run-after: expected a time such as 2030-01-31T18:00:00Z or a delay such as +30s, +5m, +2h, +1d, got 'tomorrow'. See --help.",
    ],
    [
      ['app.add', '--backend', 'defaul'],
      2,
      'argument --backend: TASKS has no backend "defaul"; it has "default", "now". Did you mean "default"?',
    ],
    [
      ['app.add', '--unique-key', 'k'.repeat(127)],
      2,
      `argument --unique-key: expected 1 to 126 printable characters, got '${'k'.repeat(127)}'. See --help.`,
    ],
  ])('%j is refused', async (args, code, message) => {
    const before = (await app.rows()).length

    expect(await app.tasks('enqueue', ...args)).toEqual({
      code,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
    expect(await app.rows()).toHaveLength(before)
  })
})

describe('check', () => {
  it('says that all is well, and how much there is', async () => {
    expect(await app.tasks('check')).toEqual({
      code: 0,
      stdout: 'System check identified no issues (5 task(s), 2 backend(s)).\n',
      stderr: '',
    })
  })

  it('lists the tasks at -v 2', async () => {
    expect((await app.tasks('check', '-v', '2')).stdout.split('\n').slice(0, 5)).toEqual([
      'task app.add',
      'task app.fail',
      'task app.greet',
      'task app.sleep',
      'task mail.send',
    ])
  })
})

describe('a set-up that is not right ends in 1, with what is wrong and its hint', () => {
  const sqlite = { type: 'better-sqlite3', database: 'other.sqlite' } as const

  it.each(['check', 'db_worker', 'prune_db_task_results'])('no table: %s', async (command) => {
    const other = await cliApp({ files: { 'ormconfig.js': ormconfig(sqlite) } })

    const { code, stderr } = await other.tasks(command)

    expect(code).toBe(1)
    expect(stderr).toBe(
      `error: The table "db_task_result" does not exist. Apply the app's migrations: \`npx typeorm migration:run -d <data source file>\`; if none of them makes it, run \`npx tasks makemigrations\` first.\n`,
    )
  })

  it.each(['check', 'db_worker', 'enqueue', 'results'])('no entity: %s', async (command) => {
    const other = await cliApp({
      files: {
        'ormconfig.js': `exports.a = new (require('typeorm').DataSource)(${JSON.stringify(sqlite)})\nexports.TASKS = ${DATABASE_TASKS}`,
      },
    })

    const { code, stderr } = await other.tasks(
      command,
      ...(command === 'enqueue' ? ['app.add'] : []),
    )

    expect(code).toBe(1)
    expect(stderr).toBe(
      'error: The DataSource of TASKS does not know the entity DBTaskResult. Add it: `entities: [DBTaskResult, …]`, with DBTaskResult from "typeorm-tasks".\n',
    )
  })

  it.each([
    [
      '{ default: {} }',
      "TASKS.default.BACKEND: expected a backend class or 'module#Export', got undefined. Use e.g. 'typeorm-tasks/backends/database#DatabaseBackend'.",
    ],
    [
      "{ default: { BACKEND: './nosuch#Backend' } }",
      'TASKS.default.BACKEND: "./nosuch" could not be imported: Cannot find module \'./nosuch\'. Check the path; a relative one starts at the folder of package.json.',
    ],
    [
      `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUE: [] } }`,
      'TASKS.default: unknown key "QUEUE". Did you mean "QUEUES"?',
    ],
    [
      `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: ['default', 5] } }`,
      'TASKS.default.QUEUES[1]: expected a queue name of 1 to 32 letters, digits and _ . : @ / -, got 5. Rename the queue.',
    ],
    [
      '[]',
      'TASKS: expected an object of backends by alias, got an array. Write { default: { BACKEND: … } }.',
    ],
  ])('TASKS = %s', async (tasks, message) => {
    const other = await cliApp({ tasks })

    expect(await other.tasks('check')).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })

  it('two tasks of one name', async () => {
    const other = await cliApp({
      files: { 'more.tasks.js': `require('typeorm-tasks').task('app.add', async () => 1)` },
    })

    const { code, stderr } = await other.tasks('check')

    expect(code).toBe(1)
    expect(stderr).toMatch(
      /Two tasks are named "app\.add": .*more\.tasks\.js:1 and .*tasks\.js:3\. Rename one of them\./,
    )
  })

  it('no DataSource file at all', async () => {
    const other = await cliApp()

    const { code, stderr } = await other.tasks('check', '-d', 'db/main.ts')

    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `error: The data source file ${other.root}/db/main.ts does not exist. Give its path relative to ${other.root} with --data-source.\n`,
    })
  })

  it('an error in the app shows where it was thrown at -v 3 only', async () => {
    const other = await cliApp({ files: { 'mail.tasks.js': `throw new RangeError('of the app')` } })

    const short = await other.tasks('check')
    const long = await other.tasks('check', '-v3')

    expect(short).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${other.root}/mail.tasks.js does not load: RangeError: of the app. Fix the error there; -v 3 shows the stack trace.\n`,
    })
    expect(long.stderr).toContain(
      `Caused by: RangeError: of the app\n    at Object.<anonymous> (${other.root}/mail.tasks.js:1:7)`,
    )
  })

  describe('a database that cannot be reached', () => {
    let server: Server, port: number
    beforeAll(async () => {
      server = createServer((socket) => socket.destroy())
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      port = (server.address() as AddressInfo).port
    })
    afterAll(() => server.close())

    // All at once: a worker waits for ten seconds.
    it('postgres, mariadb and mysql that are down, in every command; the password is not told', async () => {
      const look = async (type: 'postgres' | 'mariadb' | 'mysql'): Promise<void> => {
        const closed = await closedPort()
        const url = `${type}://app:s3cr3t-word@127.0.0.1:${closed}/app`
        const other = await cliApp({ files: { 'ormconfig.js': ormconfig({ type, url }) } })

        for (const command of [['check'], ['db_worker'], ['results'], ['enqueue', 'app.add']]) {
          const { code, stderr } = await other.tasks(...command)
          // A worker waits for a while, and says so each time.
          const tries = stderr.split('\n').filter((line) => line.endsWith('It is tried again.'))
          expect([command, tries.length > 0]).toEqual([command, command[0] === 'db_worker'])
          const said = stderr
            .split('\n')
            .filter((line) => !tries.includes(line))
            .join('\n')
          expect(said).toBe(
            `error: The database (${type}) cannot be reached: connect ECONNREFUSED 127.0.0.1:${closed}. Is it running, and are host, port, user and database of the DataSource right?\n`,
          )
          expect(stderr).not.toContain('s3cr3t-word')
          expect(code).toBe(1)
        }
        expect((await other.tasks('check', '-v3')).stderr).not.toContain('s3cr3t-word')
      }
      await Promise.all((['postgres', 'mariadb', 'mysql'] as const).map(look))
    }, 60_000)

    it.each(['postgres', 'mariadb', 'mysql'] as const)('%s that hangs up at once', async (type) => {
      const other = await cliApp({
        files: {
          'ormconfig.js': ormconfig({
            type,
            host: '127.0.0.1',
            port,
            username: 'app',
            password: 's3cr3t-word',
          }),
        },
      })

      const { code, stderr } = await other.tasks('check', '-v3')

      expect(code).toBe(1)
      expect(stderr).toMatch(/^error: /)
      expect(stderr).not.toContain('s3cr3t-word')
    })
  })
})

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}
