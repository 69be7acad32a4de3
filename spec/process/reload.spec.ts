import { cliApp, TASKS_FILE, until } from '../support/cli-app'

const RELOADED = ['db_worker', '--reload', '--no-startup-delay', '--interval', '0.1']

function returning(value: number): string {
  return `${TASKS_FILE}\ntask('app.value', async () => ${value})`
}

it('runs what the source says now, after a change and after a syntax error was mended', async () => {
  const app = await cliApp({ files: { 'tasks.js': returning(1) } })
  const worker = app.start(...RELOADED)
  await worker.says('Starting worker')

  app.write('tasks.js', returning(2))
  await worker.says('tasks.js changed: restarting the worker')
  await worker.says('Starting worker', 2)
  app.write('tasks.js', 'const = 3')
  await worker.says(/error: .*tasks\.js does not load: SyntaxError/)
  await worker.says('it restarts at the next change')
  app.write('tasks.js', returning(4))
  await worker.says('Starting worker', 3)
  const [id] = await app.enqueue('app.value')
  await until(
    async () => (await app.row(id!)).status === 'SUCCESSFUL',
    () => 'the task',
  )

  expect((await app.row(id!)).returnValue).toBe(4)
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
})

it('finishes a running task before the new worker starts', async () => {
  const app = await cliApp()
  const [id] = await app.enqueue('app.sleep', [[1_000]])
  const worker = app.start(...RELOADED)
  await worker.says(`id=${id} path=app.sleep state=RUNNING`)

  app.write('helper.js', '')
  await worker.says('Starting worker', 2)

  expect(worker.log).toContain('helper.js changed')
  expect(worker.log.indexOf('state=SUCCESSFUL')).toBeLessThan(
    worker.log.lastIndexOf('Starting worker'),
  )
  expect(await app.row(id!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
  worker.kill('SIGINT')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
})

it('does not start anew for databases, logs and what tasks write', async () => {
  const app = await cliApp()
  const worker = app.start(...RELOADED)
  await worker.says('Starting worker')

  for (const file of ['more.sqlite', 'out.log', 'report.json', '.env.js', 'node_modules/left.js'])
    app.write(file, '')
  app.write('seen.js', '')
  await worker.says('Starting worker', 2)

  expect(worker.log.match(/(\S+) changed/g)).toEqual(['seen.js changed'])
})

it('does not outlive the process that watches', async () => {
  const app = await cliApp()
  const worker = app.start(...RELOADED)
  await worker.says('Starting worker')

  worker.kill('SIGKILL')

  await worker.says('The supervisor process is gone - shutting down gracefully')
  await worker.closed
})

it('is off in a batch, with a warning', async () => {
  const app = await cliApp()

  const { code, stderr } = await app.tasks('db_worker', '--reload', '--batch', '--no-startup-delay')

  expect(code).toBe(0)
  expect(stderr.split('\n')[0]).toBe(
    'Warning: --reload and --batch cannot be specified together. Disabling autoreload.',
  )
})
