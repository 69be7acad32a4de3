import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cliApp, TASKS_FILE, type CliApp } from '../support/cli-app'

const run = promisify(execFile)

/** A program of the app that drains its queues, with these options; its answer is what the log and the rows then say. */
const SERVER = `
  const { dataSource, TASKS } = require('./ormconfig')
  const { configureTasks, runUntilEmpty } = require('typeorm-tasks')
  const main = async () => {
    configureTasks({ default: { ...TASKS.default, OPTIONS: { dataSource } } })
    await dataSource.initialize()
    await runUntilEmpty(JSON.parse(process.argv[2]))
  }
  main().catch((error) => console.log(error.name + ': ' + error.message)).finally(() => dataSource.destroy())`

let app: CliApp

beforeAll(async () => {
  app = await cliApp({
    files: {
      'server.js': SERVER,
      'jobs/a.tasks.js': TASKS_FILE,
      'jobs/a.tasks.ts': `throw new Error('the source of a.tasks.js')`,
      'jobs/a.tasks.d.ts': `throw new Error('types')`,
      'jobs/a.tasks.spec.js': `throw new Error('a spec')`,
      'broken/b.tasks.js': `const = 1`,
      'sources/c.tasks.ts': `enum Colour { Red }`,
      'node_modules/acme-tasks/index.js': `require('../../jobs/a.tasks')`,
      'deep/er/none.txt': '',
    },
  })
})

describe('startWorker({ taskModules })', () => {
  it.each([
    ['a glob', 'jobs/*.tasks.{ts,js}', ''],
    ['several, one absolute', ['jobs/a*.js', '/ROOT/**/a.tasks.js'], ''],
    ['a package', ['acme-tasks'], ''],
    ['a glob, from a folder below that of package.json', 'jobs/*.js', 'deep/er'],
  ])('takes %s', async (_, taskModules, folder) => {
    const [id] = await app.enqueue('app.add', [[40, 2]])

    const answer = await serve(taskModules, folder)

    expect(answer.stderr).toBe('')
    expect(await app.row(id!)).toMatchObject({ status: 'SUCCESSFUL', returnValue: 42 })
  })

  it.each([
    [
      'jobs/*.mjs',
      /^LoadError: taskModules: 'jobs\/\*\.mjs' matches no file below \/.*, and no package there has that name\. Correct the glob; it is relative to that folder\./,
    ],
    [
      'broken/*.js',
      /^LoadError: \/.*\/broken\/b\.tasks\.js, of taskModules, does not load: SyntaxError: .*\. Fix the error there\.$/,
    ],
    [
      'sources/*',
      /^LoadError: \/.*\/sources\/c\.tasks\.ts, of taskModules, does not load: .*\. Name the compiled file, or start Node with a loader for TypeScript\.$/,
    ],
    [
      ['a', 5],
      /^InvalidSettingsError: Worker, taskModules: expected globs of files that define tasks, got an array\. Write e\.g\. taskModules: /,
    ],
  ])('refuses %j', async (taskModules, message) => {
    expect((await serve(taskModules)).stdout.trim()).toMatch(message)
  })

  it('warns where the worker knows no task without it', async () => {
    expect((await serve([])).stderr).toBe(
      'The worker knows no task. Import the files that define them before it starts, or name them in its option taskModules.\n',
    )
  })
})

function serve(taskModules: unknown, folder = ''): Promise<{ stdout: string; stderr: string }> {
  const options = JSON.stringify({ taskModules }).replace('/ROOT', app.root)
  return run(process.execPath, [join(app.root, 'server.js'), options], {
    cwd: join(app.root, folder),
  })
}
