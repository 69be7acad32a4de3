import { describeEachDatabase } from '../support/databases'
import { cliApp, type CliApp } from '../support/cli-app'

const BATCH = ['db_worker', '--batch', '--no-startup-delay', '-v0', '--queue-name', '*']

describe('a list', () => {
  let app: CliApp
  let adds: string, fails: string, waits: string
  beforeAll(async () => {
    app = await cliApp()
    ;[adds = ''] = await app.enqueue('app.add', [[1, 2]])
    ;[fails = ''] = await app.enqueue('app.fail', [[]], { queueName: 'mail' })
    await app.tasks(...BATCH)
    ;[waits = ''] = await app.enqueue('app.add', [['\u001b[31mred']], { queueName: 'slow' })
  })

  it('is a table, the newest first; no delay is left empty', async () => {
    const { code, stdout, stderr } = await app.tasks('results')

    const cells = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(cells[0]).toEqual([
      'id',
      'status',
      'task',
      'queue',
      'priority',
      'attempts',
      'progress',
      'enqueued',
      'run_after',
      'duration',
      'details',
    ])
    expect(cells.slice(1)).toEqual([
      [waits, 'READY', 'app.add', 'slow', '0', '0', expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/)],
      [
        fails,
        'FAILED',
        'app.fail',
        'mail',
        '0',
        '1',
        expect.any(String),
        expect.stringMatching(/^0\.\d{3} s$/),
        'TypeError: broken',
      ],
      [
        adds,
        'SUCCESSFUL',
        'app.add',
        'default',
        '0',
        '1',
        expect.any(String),
        expect.stringMatching(/^0\.\d{3} s$/),
      ],
      ['3 result(s)'],
    ])
  })

  it.each([
    [['--status', 'failed'], () => [fails]],
    [['--queue-name', 'slow,mail'], () => [waits, fails]],
    [['--limit', '1'], () => [waits]],
    [['--backend', 'default', '--status', 'READY'], () => [waits]],
    [['--status', 'waiting'], () => []],
    [['--queue-name', 'nosuch'], () => []],
  ])('%j chooses rows', async (args, ids) => {
    const { stdout } = await app.tasks('results', '--json', ...args)

    expect((JSON.parse(stdout) as { id: string }[]).map(({ id }) => id)).toEqual(ids())
  })

  it('as JSON holds what the rows hold, and null for no delay', async () => {
    const { stdout } = await app.tasks('results', '--json', '--status', 'SUCCESSFUL')

    expect(JSON.parse(stdout)).toEqual([
      expect.objectContaining({
        id: adds,
        taskPath: 'app.add',
        argsKwargs: { args: [1, 2], kwargs: {} },
        returnValue: 3,
        runAfter: null,
        claims: 1,
      }),
    ])
  })

  it('says that there is nothing', async () => {
    expect((await app.tasks('results', '--status', 'RUNNING')).stdout).toBe('No task results.\n')
  })

  it('looks at the newest results only, and says so in a line of standard error', async () => {
    const note = 'Looked at the newest 1 results only; --within 0 looks at all.\n'
    const failed = ['results', '--status', 'FAILED', '--within']

    const [hidden, asJson, found, whole, page, full] = await Promise.all([
      app.tasks(...failed, '1'),
      app.tasks(...failed, '1', '--json'),
      app.tasks(...failed, '2', '--json'),
      app.tasks(...failed, '0'),
      app.tasks(...failed, '1', '--before', waits),
      app.tasks('results', '--within', '1', '--limit', '1', '--json'),
    ])

    const none = 'No task results among the newest 1.\n'
    expect(hidden).toEqual({ code: 0, stdout: none, stderr: note })
    expect(asJson).toEqual({ code: 0, stdout: '[]\n', stderr: note })
    expect(JSON.parse(found.stdout)).toMatchObject([{ id: fails }])
    expect(found.stderr).toBe(note.replace('1', '2'))
    expect(whole).toMatchObject({ code: 0, stderr: '' })
    expect(whole.stdout).toContain(fails)
    expect(page.stdout).toMatch(new RegExp(`${fails}.*\n1 result\\(s\\) among the next 1\n$`))
    expect(page.stderr).toBe(note.replace('newest', 'next'))
    // All that was asked for was found.
    expect(full).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    [
      ['--status', 'FAILD'],
      2,
      `argument --status: expected one of READY, WAITING, RUNNING, FAILED, SUCCESSFUL, got 'FAILD'. Did you mean "FAILED"?`,
    ],
    [
      ['--limit', '0'],
      2,
      "argument --limit: expected a whole number from 1 to 100000, got '0'. See --help.",
    ],
    [
      ['--backend', 'nope'],
      2,
      'argument --backend: TASKS has no backend "nope"; it has "default". Add it to configureTasks({ … }).',
    ],
    [
      ['show', 'nope'],
      2,
      "'nope' is not the id of a result, which is a UUID. Run `npx tasks results` for a list with the ids.",
    ],
    [
      ['retri'],
      2,
      `'retri' is not the id of a result, which is a UUID. Did you mean "retry"? Run \`npx tasks results\` for a list with the ids.`,
    ],
    [
      ['--before', 'nope'],
      2,
      "'nope' is not the id of a result, which is a UUID. Run `npx tasks results` for a list with the ids.",
    ],
    [
      ['retry', '01981c1e-7c2a-7b3c-8d4e-5f6071829304'],
      1,
      'No task result has the id "01981c1e-7c2a-7b3c-8d4e-5f6071829304". Check the id; finished results disappear when they are pruned.',
    ],
    [['retry'], 2, "missing required argument 'id'"],
  ])('%j is refused', async (args, code, message) => {
    expect(await app.tasks('results', ...args)).toEqual({
      code,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })

  it('shows one, its traceback in full and without what a terminal would obey', async () => {
    const failed = (await app.tasks('results', 'show', fails)).stdout
    const { traceback } = await app.row(fails)

    expect(failed).toContain(`id: ${fails}\nstatus: FAILED\n`)
    expect(failed).toContain('exception_class_path: TypeError\n')
    for (const line of traceback.trimEnd().split('\n')) expect(failed).toContain(`  ${line}\n`)
    expect((await app.tasks('results', waits)).stdout).toContain(
      'args_kwargs: {"args":["\\u001b[31mred"],"kwargs":{}}\n',
    )
  })

  it('retries only what has failed', async () => {
    const states = [
      [waits, 'READY', 'A worker will run it, or runs it.'],
      [adds, 'SUCCESSFUL', 'Enqueue it anew to run it again.'],
    ]
    for (const [id = '', status, hint] of states)
      expect(await app.tasks('results', 'retry', id)).toEqual({
        code: 1,
        stdout: '',
        stderr: `error: Task ${id} (app.add) is ${status}; only a FAILED one can be retried. ${hint}\n`,
      })
  })
})

describe('a table of several backends', () => {
  const database = `{ BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [] }`
  const immediate = `{ BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend', QUEUES: [] }`
  const list = async (app: CliApp, ...args: string[]): Promise<string[]> =>
    (JSON.parse((await app.tasks('results', '--json', ...args)).stdout) as { id: string }[]).map(
      ({ id }) => id,
    )

  it('is listed whole, though the default backend keeps no rows, or by one alias', async () => {
    const app = await cliApp({
      tasks: `{ default: ${immediate}, first: ${database}, second: ${database} }`,
    })
    const [one] = await app.enqueue('app.add', [[1]], { backend: 'first' })
    const [two] = await app.enqueue('app.add', [[2]], { backend: 'second' })
    const [removed] = await app.enqueue('app.add', [[3]], { backend: 'removed' })

    expect(await list(app)).toEqual([removed, two, one])
    expect(await list(app, '--backend', 'second')).toEqual([two])
    expect((await app.tasks('results', 'cancel', removed!)).stdout).toBe(
      `Task id=${removed} path=app.add is cancelled, and will not run.\n`,
    )
    expect((await app.tasks('results', 'cancel', removed!)).stdout).toBe(
      `Task id=${removed} path=app.add was cancelled already.\n`,
    )
    const told = await app.tasks('results', 'cancel', two!, '--json')
    expect(JSON.parse(told.stdout)).toMatchObject({ id: two, status: 'FAILED' })
    const again = await app.tasks('results', 'retry', two!, '--json')
    expect(JSON.parse(again.stdout)).toMatchObject({ id: two, status: 'READY' })
    expect(await app.row(removed!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.TaskCancelled',
    })
  })

  it('names queues and tasks that nobody knows, in a warning', async () => {
    const app = await cliApp({
      tasks: `{ default: { ...${database}, QUEUES: ['default', 'mail'] } }`,
    })
    const [old] = await app.enqueue('old.task', [[1]], { queueName: 'old' })
    const queue = "Queue 'old' is not in QUEUES of TASKS (default, mail).\n"
    const near = `Queue 'mali' is not in QUEUES of TASKS (default, mail). Did you mean "mail"?\n`
    const wrongTask = `No task is named 'app.ad', and no result is of one. Did you mean "app.add"?\n`

    const told = await Promise.all(
      [
        ['results', '--json', '--queue-name', 'old,mail'],
        ['results', '--json', '--task', 'old.task'],
        ['results', '--json', '--task', 'app.ad'],
        ['results', '--json', '--task', 'app.add'],
        ['prune_db_task_results', '--queue-name', 'mali'],
      ].map((args) => app.tasks(...args)),
    )

    expect(told.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    expect(told.map(({ stderr }) => stderr)).toEqual([queue, '', wrongTask, '', near])
    expect(told.slice(0, 2).map(({ stdout }) => stdout)).toEqual(
      [1, 2].map(() => expect.stringContaining(old!)),
    )
  })

  it('has nothing to list where no backend keeps rows for workers', async () => {
    const app = await cliApp({ tasks: `{ default: ${immediate} }` })

    expect((await app.tasks('results')).stdout).toBe('No task results.\n')
  })
})

describeEachDatabase((database) => {
  it('retries a failed task, which runs again and keeps its first error', async () => {
    const app = await cliApp({ database: await database.fresh() })
    const [id = ''] = await app.enqueue('app.fail')
    await app.tasks(...BATCH)
    const { traceback } = await app.row(id)

    expect(await app.tasks('results', 'retry', id)).toEqual({
      code: 0,
      stderr: '',
      stdout: `Task id=${id} path=app.fail is READY again in queue default; it had failed with TypeError after 1 attempt(s).\n`,
    })
    expect(await app.row(id)).toMatchObject({
      status: 'READY',
      finishedAt: null,
      leaseUntil: null,
      exceptionClassPath: '',
      traceback: '',
      attemptErrors: [{ exceptionClassPath: 'TypeError', traceback }],
    })
    expect((await app.row(id)).runAfter.toISOString()).toBe('9999-01-01T00:00:00.000Z')
    await app.tasks(...BATCH)
    const again = await app.row(id)
    expect(again).toMatchObject({
      status: 'FAILED',
      claims: 2,
      exceptionClassPath: 'TypeError',
      attemptErrors: [{ exceptionClassPath: 'TypeError', traceback }],
    })
    expect(again.workerIds).toHaveLength(2)
    expect((await app.tasks('results', id)).stdout).toContain(
      'error of attempt 1 (TypeError):\n  TypeError: broken\n',
    )
  })

  it('prunes by what tasks and TASKS say, which for a task comes before what is asked for', async () => {
    const app = await cliApp({
      database: await database.fresh(),
      files: {
        'kept.tasks.js': `
          const { task } = require('typeorm-tasks')
          task('kept.long', () => 1, { keepResults: 86_400_000 })
          task('kept.not', () => 1, { keepResults: 0 })`,
      },
      tasks: `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: ['default', 'mail', 'slow'], OPTIONS: { retention: { failed: 0 } } } }`,
    })
    await app.enqueue('app.add', [[1, 2]])
    for (const name of ['app.fail', 'kept.long', 'kept.not']) await app.enqueue(name)
    await app.tasks(...BATCH)
    const left = async (): Promise<string[]> => (await app.rows()).map(({ taskPath }) => taskPath)

    expect((await app.tasks('prune_db_task_results')).stdout).toBe('Deleted 2 task result(s)\n')
    expect(await left()).toEqual(['app.add', 'kept.long'])
    await app.tasks('prune_db_task_results', '--min-age-days', '0')
    expect(await left()).toEqual(['kept.long'])
  })

  it('prunes what finished, by its age, queue and backend', async () => {
    const app = await cliApp({ database: await database.fresh() })
    await app.enqueue('app.add', [[1]])
    await app.enqueue('app.fail')
    await app.enqueue('app.add', [[2]], { queueName: 'mail' })
    await app.tasks(...BATCH)
    const [waits] = await app.enqueue('app.add', [[3]])
    const prune = async (...args: string[]): Promise<string> =>
      (await app.tasks('prune_db_task_results', ...args)).stdout

    expect(await prune()).toBe('Deleted 0 task result(s)\n')
    expect(await prune('--min-age-days', '0', '--dry-run')).toBe('Would delete 2 task result(s)\n')
    expect(await prune('--min-age-days', '0', '--failed-min-age-days', '1')).toBe(
      'Deleted 1 task result(s)\n',
    )
    expect(await prune('--failed-min-age-days', '0')).toBe('Deleted 1 task result(s)\n')
    expect(await prune('--min-age-days', '0', '--queue-name', '*', '-v0')).toBe('')
    expect((await app.rows()).map(({ id }) => id)).toEqual([waits])
  })
})
