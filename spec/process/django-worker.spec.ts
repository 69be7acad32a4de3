import { cliApp, TASKS_FILE } from '../support/cli-app'

it('process.exit() in a task ends the worker, whose row stays RUNNING', async () => {
  const app = await cliApp({
    files: { 'tasks.js': `${TASKS_FILE}\n  task('app.exit', () => process.exit(7))` },
  })
  const [id] = await app.enqueue('app.exit')

  const { code } = await app.tasks('db_worker', '--batch', '--no-startup-delay')

  expect(code).toBe(7)
  expect((await app.row(id!)).status).toBe('RUNNING')
})

it('the wait at the start is left out by --no-startup-delay, by an interval of 0 and by --batch', async () => {
  // What is random for others is two seconds here.
  const app = await cliApp({ files: { 'tasks.js': `${TASKS_FILE}\n  Math.random = () => 2` } })
  const took = async (queueName: string, ...args: string[]): Promise<number> => {
    await app.enqueue('app.add', [[1]], { queueName })
    const worker = app.start('db_worker', '--max-tasks', '1', '--queue-name', queueName, ...args)
    await worker.says('Starting worker')
    const started = performance.now()
    await worker.says('state=RUNNING')
    return performance.now() - started
  }

  const [waits, told, eager, batch] = await Promise.all([
    took('one'),
    took('two', '--no-startup-delay'),
    took('three', '--interval', '0'),
    took('four', '--batch'),
  ])

  expect(waits).toBeGreaterThan(1_900)
  expect(told).toBeLessThan(1_500)
  expect(eager).toBeLessThan(1_500)
  expect(batch).toBeLessThan(1_500)
})
