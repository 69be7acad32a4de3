import { closeSync, openSync, readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { cliApp, type CliApp, DATABASE_TASKS, TASKS_FILE, type Told } from '../support/cli-app'
import { repository } from '../support/linked-app'

jest.setTimeout(60_000)

/** What an app may write to stdout by itself: while its files load, as its logger, and through its DataSource. */
const LOUD = `
  const fs = require('node:fs')
  const { runningCommand, setLogger } = require('typeorm-tasks')
  console.log('loaded by console.log')
  console.log('loaded for ' + runningCommand())
  process.stdout.write('loaded by write\\n')
  fs.writeSync(1, 'loaded by writeSync\\n')
  const say = (message) => console.log('logged ' + message)
  setLogger({ debug: say, info: say, warn: say, error: say })`

let app: CliApp
beforeAll(async () => {
  app = await cliApp({ files: { 'tasks.js': TASKS_FILE + LOUD } })
  app.write(
    'ormconfig.js',
    `const { DataSource } = require('typeorm')
     const { DBTaskResult, runningCommand } = require('typeorm-tasks')
     console.log('loaded for ' + runningCommand())
     exports.dataSource = new DataSource({
       type: 'better-sqlite3', database: 'app.sqlite', enableWAL: true,
       entities: [DBTaskResult], migrations: ['migrations/*.js'], logging: true, logger: 'simple-console',
     })
     exports.TASKS = ${DATABASE_TASKS}`,
  )
})

const UUID = /^[\da-f-]{36}\n$/

it('is the answer alone, whatever the app and its DataSource write', async () => {
  const told = await Promise.all(
    [
      ['enqueue', 'app.add', '[1, 2]', '-v3'],
      ['check'],
      ['makemigrations', '--dry-run', '--name', 'Extra'],
      ['prune_db_task_results', '--dry-run'],
      ['results', '--json'],
    ].map((args) => app.tasks(...args)),
  )
  const [enqueued, checked, migrated, pruned, listed] = told as [Told, Told, Told, Told, Told]

  expect(told.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
  expect(enqueued.stdout).toMatch(UUID)
  expect(checked.stdout).toMatch(/^System check identified .*\n$/)
  expect(migrated.stdout).not.toMatch(/loaded|logged|query/i)
  expect(pruned.stdout).toBe('Would delete 0 task result(s)\n')
  expect(JSON.parse(listed.stdout)).toBeInstanceOf(Array)
  for (const each of ['console.log', 'write', 'writeSync'])
    expect(enqueued.stderr).toContain(`loaded by ${each}\n`)
  expect(enqueued.stderr).toMatch(/query: INSERT/i)
  expect(enqueued.stderr).toContain('loaded for enqueue\n')
  expect(migrated.stderr).toContain('loaded for makemigrations\n')
})

it('is the answer alone also in a file', () => {
  const file = join(app.root, 'answer.txt')
  const out = openSync(file, 'w')
  const { status } = spawnSync(
    process.execPath,
    [join(repository, 'dist/cli/index.js'), 'enqueue', 'app.add', '[1]'],
    { cwd: app.root, stdio: ['ignore', out, 'ignore'] },
  )
  closeSync(out)

  expect(status).toBe(0)
  expect(readFileSync(file, 'utf8')).toMatch(UUID)
})

it("-v 0 holds against the app's logger, which a worker uses at the other levels", async () => {
  const worker = ['db_worker', '--batch', '--no-startup-delay', '--queue-name', '*']
  const fails = async (...args: string[]): Promise<string> => {
    await app.enqueue('app.fail')
    const { stdout, stderr } = await app.tasks(...worker, ...args)
    return stdout + stderr
  }

  expect(await fails('-v', '0')).not.toMatch(/logged|Task id/)
  expect(await fails('-v', '1')).toMatch(/^logged Task id=\S+ path=app\.fail state=FAILED error=/m)
})

it('-v 2 adds queue, attempt, worker and duration, -v 3 the stack; -v2 is -v 2', async () => {
  const quiet = await cliApp()
  const logOf = async (level: string): Promise<string> => {
    await quiet.enqueue('app.fail', [[]], { queueName: 'mail' })
    const worker = ['db_worker', '--batch', '--queue-name', '*', '--worker-id', 'w-1', level]
    return (await quiet.tasks(...worker)).stderr
  }
  const details = 'queue=mail attempt=1 worker=w-1'

  expect(await logOf('-v1')).not.toContain('attempt=')
  const two = await logOf('-v2')
  expect(two).toMatch(new RegExp(`path=app\\.fail state=RUNNING ${details}\\n`))
  expect(two).toMatch(
    new RegExp(
      `path=app\\.fail state=FAILED ${details} duration=\\d+\\.\\d{3}s error=TypeError: broken\\n`,
    ),
  )
  expect(two).not.toMatch(/^ +at /m)
  expect(await logOf('-v3')).toMatch(/error=TypeError: broken\n {4}TypeError: broken\n {8}at /)
})
