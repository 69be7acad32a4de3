import { describeEachDatabase } from '../support/databases'
import { cliApp, DATABASE_TASKS, type CliApp } from '../support/cli-app'

/** A worker that starts at once and ends when nothing is left. */
const BATCH = ['db_worker', '--batch', '--no-startup-delay']

describe('what it says', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp()
  })

  it.each([
    ['-v1', '', ''],
    ['-v2', ' queue=default attempt=1 worker=w1', ' duration=0.000s'],
    ['-v3', ' queue=default attempt=1 worker=w1', ' duration=0.000s'],
  ])("Django's four lines for one task at %s", async (verbosity, details, duration) => {
    const [id] = await app.enqueue('app.add', [[1, 2]])

    const { code, stdout, stderr } = await app.tasks(...BATCH, verbosity, '--worker-id', 'w1')

    expect(stderr.replace(/=\d+\.\d{3}s/, '=0.000s').split('\n')).toEqual([
      'Starting worker worker_id=w1 queues=default',
      `Task id=${id} path=app.add state=RUNNING${details}`,
      `Task id=${id} path=app.add state=SUCCESSFUL${details}${duration}`,
      'No more tasks to run for worker_id=w1. Exiting gracefully.',
      '',
    ])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  })

  it('nothing at -v 0', async () => {
    const [id] = await app.enqueue('app.fail')

    expect(await app.tasks(...BATCH, '-v', '0')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect((await app.row(id!)).status).toBe('FAILED')
  })
})

describe('what it runs', () => {
  it('a batch with a failing and an unknown task runs them all and exits 0', async () => {
    const app = await cliApp()
    const [fails] = await app.enqueue('app.fail')
    const [unknown] = await app.enqueue('app.ad')
    const [adds] = await app.enqueue('app.add', [[1, 2]])

    const { code, stderr } = await app.tasks(...BATCH)

    expect(code).toBe(0)
    expect(stderr).toContain(`Task id=${fails} path=app.fail state=FAILED error=TypeError: broken`)
    expect(await app.row(fails!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'TypeError',
      traceback: expect.stringContaining('tasks.js:'),
    })
    expect(await app.row(unknown!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.TaskNotFoundError',
      traceback: expect.stringContaining('Did you mean "app.add"?'),
    })
    expect(await app.row(adds!)).toMatchObject({ status: 'SUCCESSFUL', returnValue: 3 })
  })

  it('only the queues that it is told to serve', async () => {
    const app = await cliApp()
    for (const queueName of ['default', 'mail', 'slow', 'other'])
      await app.enqueue('app.add', [[1]], { queueName })
    const left = async (): Promise<string[]> =>
      (await app.rows())
        .filter(({ status }) => status === 'READY')
        .map(({ queueName }) => queueName)

    await app.tasks(...BATCH)
    expect(await left()).toEqual(['mail', 'slow', 'other'])
    await app.tasks(...BATCH, '--queue-name', 'nosuch, mail')
    expect(await left()).toEqual(['slow', 'other'])
    await app.tasks(...BATCH, '--queue-name', '*', '--exclude-queues', 'slow, nosuch')
    expect(await left()).toEqual(['slow'])
    await app.tasks(...BATCH, '--queue-name=*')
    expect(await left()).toEqual([])
  })

  it('and says at the end of a batch that others have tasks waiting', async () => {
    const app = await cliApp()
    for (const queueName of ['mail', 'slow', 'mail'])
      await app.enqueue('app.add', [[1]], { queueName })

    const [own, all, but] = await Promise.all([
      app.tasks(...BATCH),
      app.tasks(...BATCH, '--queue-name', '*', '--exclude-queues', 'mail,slow'),
      app.tasks(...BATCH, '--queue-name', '*', '--exclude-queues', 'other,mail,slow'),
    ])

    for (const { stderr } of [own, all, but])
      expect(stderr.split('\n').at(-2)).toBe(
        '3 task(s) wait in queues that this worker does not serve (mail, slow): see --queue-name.',
      )
    expect((await app.tasks(...BATCH, '--queue-name', '*')).stderr).not.toContain('does not serve')
  })

  it('and what it left in its own queues, since it is not due yet', async () => {
    const app = await cliApp()
    await app.enqueue('app.add', [[1]])
    await app.enqueue('app.add', [[1]], { runAfter: new Date(Date.now() + 3_600_000) })

    expect((await app.tasks(...BATCH)).stderr.split('\n').at(-2)).toBe(
      'Left are task(s) in its queues: 1 due later.',
    )
  })

  it('only the rows of its backend', async () => {
    const app = await cliApp({
      tasks: `{ default: ${DATABASE_TASKS}.default, second: ${DATABASE_TASKS}.default }`,
    })
    await app.enqueue('app.add', [[1]])
    await app.enqueue('app.add', [[2]], { backend: 'second' })

    await app.tasks(...BATCH, '--backend', 'second')

    expect((await app.rows()).map(({ backendName, status }) => [backendName, status])).toEqual([
      ['default', 'READY'],
      ['second', 'SUCCESSFUL'],
    ])
  })

  it('no more tasks than --max-tasks', async () => {
    const app = await cliApp()
    await app.enqueue('app.add', [[1], [2], [3], [4], [5]])

    const { code, stderr } = await app.tasks(
      'db_worker',
      '--interval',
      '0.5',
      '--no-startup-delay',
      '--max-tasks',
      '2',
    )

    expect(code).toBe(0)
    expect(stderr).toContain('Run maximum tasks (2)')
    expect((await app.rows()).filter(({ status }) => status === 'READY')).toHaveLength(3)
  })

  it('nothing at all for an app without TASKS but what is in its database, in any queue', async () => {
    const app = await cliApp({ tasks: '' })
    const [id] = await app.enqueue('mail.send', [[]], { queueName: 'mail' })

    const { stderr } = await app.tasks(...BATCH, '-v3', '--queue-name', 'mail')

    expect(stderr).toContain(
      'ormconfig.js exports no TASKS: "default" is a DatabaseBackend on its DataSource, with any queue',
    )
    expect((await app.row(id!)).status).toBe('SUCCESSFUL')
  })

  it('under a name of 64 characters, which the row keeps', async () => {
    const app = await cliApp()
    const [id] = await app.enqueue('app.add', [[1]])

    await app.tasks(...BATCH, '--worker-id', 'w'.repeat(64))

    expect((await app.row(id!)).workerIds).toEqual(['w'.repeat(64)])
  })

  it('as an app that configures itself and opens its DataSource itself has it', async () => {
    const app = await cliApp()
    app.write(
      'ormconfig.js',
      `
      const { DataSource } = require('typeorm')
      const { configureTasks, DBTaskResult } = require('typeorm-tasks')
      const dataSource = new DataSource({ type: 'better-sqlite3', database: ${JSON.stringify(app.dataSource.options.database)}, entities: [DBTaskResult] })
      exports.dataSource = dataSource.initialize()
      exports.TASKS = configureTasks({ own: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })`,
    )
    app.write(
      'tasks.js',
      `require('typeorm-tasks').task('app.add', async (a) => a, { backend: 'own' })`,
    )
    const [id] = await app.enqueue('app.add', [[1]], { backend: 'own' })

    expect(await app.tasks(...BATCH, '--backend', 'own')).toMatchObject({ code: 0, stdout: '' })
    expect((await app.row(id!)).status).toBe('SUCCESSFUL')
  })
})

it('three batch workers run each of ten tasks once', async () => {
  const app = await cliApp()
  const ids = await app.enqueue(
    'app.sleep',
    Array.from({ length: 10 }, () => [50]),
  )

  const told = await Promise.all(
    ['a', 'b', 'c'].map((name) => app.tasks(...BATCH, '--concurrency', '2', '--worker-id', name)),
  )

  const logs = told.map(({ stderr }) => stderr).join('')
  expect(told.map(({ code }) => code)).toEqual([0, 0, 0])
  expect(logs.match(/Exiting gracefully\./g)).toHaveLength(3)
  expect(ids.map((id) => logs.split(`id=${id} `).length - 1)).toEqual(Array(10).fill(2))
})

describeEachDatabase((database) => {
  it('drains a queue', async () => {
    const app = await cliApp({ database: await database.fresh() })
    const ids = await app.enqueue(
      'app.add',
      Array.from({ length: 25 }, (_, at) => [at, 1]),
    )

    const { code, stderr } = await app.tasks(...BATCH)

    expect({ code, lines: stderr.split('\n').length - 1 }).toEqual({
      code: 0,
      lines: 2 + 2 * ids.length,
    })
    expect((await app.rows()).map(({ status, returnValue }) => [status, returnValue])).toEqual(
      ids.map((_, at) => ['SUCCESSFUL', at + 1]),
    )
  })
})

it('a queue that TASKS does not have is a wrong call', async () => {
  const app = await cliApp({
    tasks: `{ default: { ...${DATABASE_TASKS}.default, QUEUES: ['default', 'mail'] } }`,
  })

  const told = await Promise.all([
    app.tasks(...BATCH, '--queue-name', 'default,mial'),
    app.tasks(...BATCH, '--queue-name', '*', '--exclude-queues', 'reports'),
    app.tasks('db_worker', '--processes', '2', '--queue-name', 'mial'),
  ])

  const which = 'is not in QUEUES of TASKS.default (default, mail).'
  expect(told.map(({ code, stderr }) => [code, stderr])).toEqual([
    [2, `error: argument --queue-name: queue 'mial' ${which} Did you mean "mail"?\n`],
    [
      2,
      `error: argument --exclude-queues: queue 'reports' ${which} Add it there, or choose one of them.\n`,
    ],
    [2, `error: argument --queue-name: queue 'mial' ${which} Did you mean "mail"?\n`],
  ])
})

describe('a wrong call', () => {
  let app: CliApp
  beforeAll(async () => {
    app = await cliApp({
      tasks: `{ default: ${DATABASE_TASKS}.default, now: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend' } }`,
    })
    await app.enqueue('app.add', [[1]])
  })

  it.each([
    [
      ['--interval', '-1'],
      "argument --interval: expected a number of seconds, 0 or more, got '-1'. See --help.",
    ],
    [
      ['--interval', 'inf'],
      "argument --interval: expected a number of seconds, 0 or more, got 'inf'. See --help.",
    ],
    [
      ['--interval', 'abc'],
      "argument --interval: expected a number of seconds, 0 or more, got 'abc'. See --help.",
    ],
    [
      ['--shutdown-timeout', '-0.5'],
      "argument --shutdown-timeout: expected a number of seconds, 0 or more, got '-0.5'. See --help.",
    ],
    [
      ['--max-tasks', '-1'],
      "argument --max-tasks: expected a whole number, 0 or more, got '-1'. See --help.",
    ],
    [
      ['--concurrency', '0'],
      "argument --concurrency: expected a whole number, 1 or more, got '0'. See --help.",
    ],
    [
      ['--concurrency', '2.5'],
      "argument --concurrency: expected a whole number, 1 or more, got '2.5'. See --help.",
    ],
    [
      ['--worker-id', ''],
      "argument --worker-id: expected 1 to 64 printable characters, got ''. See --help.",
    ],
    [
      ['--worker-id', 'x'.repeat(65)],
      `argument --worker-id: expected 1 to 64 printable characters, got '${'x'.repeat(65)}'. See --help.`,
    ],
    [
      ['--exclude-queues', 'slow'],
      "argument --exclude-queues: only valid with --queue-name '*'. Add --queue-name '*' or remove --exclude-queues.",
    ],
    [
      ['--queue-name', "o'hara; --"],
      "argument --queue-name: expected a queue name of 1 to 32 letters, digits and _ . : @ / -, got 'o'hara; --'. Rename the queue.",
    ],
    [
      ['--queue-name', 'q'.repeat(33)],
      `argument --queue-name: expected a queue name of 1 to 32 letters, digits and _ . : @ / -, got '${'q'.repeat(33)}'. Rename the queue.`,
    ],
    [
      ['--queue-name', '--batch'],
      "argument --queue-name: expected a queue name of 1 to 32 characters, got '--batch'. See --help.",
    ],
    [
      ['--backend', 'defualt'],
      'argument --backend: TASKS has no backend "defualt"; it has "default", "now". Did you mean "default"?',
    ],
    [
      ['--backend', 'now'],
      'argument --backend: TASKS.now is ImmediateBackend, which stores no tasks for workers. Backends that do: default.',
    ],
    [
      ['--verbosity', '4'],
      "argument --verbosity: expected a whole number from 0 to 3, got '4'. See --help.",
    ],
    [['--intervall', '1'], "unknown option '--intervall'\n(Did you mean --interval?)"],
    [['--interval'], "option '--interval <seconds>' argument missing"],
    [['mail'], "too many arguments for 'db_worker'. Expected 0 arguments but got 1."],
  ])('%j is refused, and nothing is run', async (args, message) => {
    expect(await app.tasks(...BATCH, ...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
    expect((await app.rows()).map(({ status }) => status)).toEqual(['READY'])
  })
})
