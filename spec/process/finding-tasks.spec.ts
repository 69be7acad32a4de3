import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { cliApp, DATABASE_TASKS, TASKS_FILE, tasksIn, type CliApp } from '../support/cli-app'

const BATCH = ['db_worker', '--batch', '--no-startup-delay']
const PACKAGE = (name: string, more = ''): string => `{ "name": "${name}"${more} }`
const NO_TASKS = `exports.nothing = 1`

/** The data source in packages/db, for an app whose root is the monorepo's. */
function dataSourceFile(more = ''): string {
  return `
    const { join } = require('node:path')
    const { DataSource } = require('typeorm')
    const { DBTaskResult } = require('typeorm-tasks')
    exports.dataSource = new DataSource({ type: 'better-sqlite3', database: join(__dirname, '../../app.sqlite'), enableWAL: true, entities: [DBTaskResult] })
    exports.TASKS = ${DATABASE_TASKS}
    ${more}`
}

async function monorepo(files: Record<string, string>, dataSource = ''): Promise<CliApp> {
  return cliApp({
    files: {
      'package.json': PACKAGE('root', ', "workspaces": ["packages/*", "apps/*"]'),
      'tasks.js': NO_TASKS,
      'packages/db/package.json': PACKAGE('@acme/db'),
      'packages/db/data-source.js': dataSourceFile(dataSource),
      'packages/tasks/package.json': PACKAGE('@acme/tasks', ', "main": "all.js"'),
      'packages/tasks/all.js': `require('./src/mail.tasks')`,
      'packages/tasks/src/mail.tasks.js': TASKS_FILE,
      'apps/worker/package.json': PACKAGE('@acme/worker'),
      ...files,
    },
  })
}

const FROM_WORKER = ['-d', '../../packages/db/data-source.js']
const FROM_ROOT = ['-d', 'packages/db/data-source.js']

describe('an app without tasks', () => {
  it('is refused by db_worker, check and enqueue, which name the folders and both fixes', async () => {
    const app = await monorepo({})
    const worker = join(app.root, 'apps/worker')
    const message = [
      `No tasks are defined: there is no tasks.js or *.tasks.js in ${app.root}/packages/db, nor in ${worker}, and ${app.root}/packages/db/data-source.js imports none.`,
      `Export TASK_MODULES from that file, e.g. TASK_MODULES = ['../tasks/src/mail.tasks.js'], or import the files with the tasks there.`,
    ].join(' ')

    const [started, supervised, enqueued, checked, remote] = await Promise.all([
      tasksIn(worker, ...BATCH, ...FROM_WORKER),
      tasksIn(worker, 'db_worker', '--processes', '2', ...FROM_WORKER),
      tasksIn(worker, 'enqueue', 'app.add', ...FROM_WORKER),
      tasksIn(worker, 'check', ...FROM_WORKER),
      tasksIn(worker, 'enqueue', 'app.add', '--remote', ...FROM_WORKER),
    ])

    for (const told of [started, supervised, enqueued])
      expect(told).toEqual({ code: 1, stdout: '', stderr: `error: ${message}\n` })
    expect(checked).toEqual({
      code: 1,
      stdout: 'System check identified 1 error(s) and 0 warning(s) (0 task(s), 1 backend(s)).\n',
      stderr: `error: ${message}\n`,
    })
    expect(remote.code).toBe(0)
  })

  it('is refused where its files define none, and where they are TypeScript beside JavaScript', async () => {
    const [empty, uncompiled] = await Promise.all([
      cliApp({ files: { 'tasks.js': NO_TASKS } }),
      cliApp({ files: { 'tasks.js': NO_TASKS, 'src/mail.tasks.ts': TASKS_FILE } }),
    ])
    uncompiled.remove('tasks.js')

    const worker = await empty.tasks(...BATCH)
    const check = await empty.tasks('check')

    const why =
      'No tasks are defined: none of the loaded files defines one (tasks.js). Call task(name, function) at their top level, with the typeorm-tasks that this command belongs to.'
    expect(worker).toEqual({ code: 1, stdout: '', stderr: `error: ${why}\n` })
    expect(check).toMatchObject({ code: 0, stderr: `warning: ${why}\n` })
    expect((await uncompiled.tasks(...BATCH)).stderr).toContain(
      'The data source file is JavaScript, and src/mail.tasks.ts TypeScript: compile the app, or give its data source in TypeScript with --data-source.',
    )
  })
})

it('an empty TASK_MODULES is no reason to search', async () => {
  const app = await monorepo({}, `exports.TASK_MODULES = []`)

  const { stderr } = await app.tasks(...BATCH, ...FROM_ROOT)

  expect(stderr).toContain('No tasks are defined: TASK_MODULES is empty, and ')
})

describe('without TASK_MODULES', () => {
  it("a worker finds the tasks of the data source's package and of the current one", async () => {
    const app = await monorepo({
      'packages/db/tasks.js': `require('typeorm-tasks').task('db.vacuum', async () => 'clean')`,
      'apps/worker/src/own.tasks.js': `require('typeorm-tasks').task('worker.own', async () => 'own')`,
      'apps/worker/examples/other/package.json': '{}',
      'apps/worker/examples/other/tasks.js': `throw new Error('another package')`,
    })

    const { stdout } = await tasksIn(
      join(app.root, 'apps/worker'),
      'check',
      '-v',
      '2',
      ...FROM_WORKER,
    )

    expect(stdout).toContain('task db.vacuum\ntask worker.own\n')
    expect(stdout).toContain('no issues (2 task(s)')
  })

  it.each([
    ['npm', {}],
    [
      'pnpm',
      {
        'package.json': PACKAGE('root'),
        'pnpm-workspace.yaml': `# all\npackages:\n  - "apps/*"\n  # here\n  - packages/*\ncatalog:\n  x: 1\n`,
      },
    ],
  ])(
    'from the root of an %s workspace it finds those of the packages, and no others',
    async (_, files) => {
      const app = await monorepo({
        'examples/one/package.json': '{}',
        'examples/one/tasks.js': `throw new Error('not of the workspace')`,
        ...files,
      })
      app.remove('tasks.js')
      const [id] = await app.enqueue('app.add', [[1, 2]])

      const told = await app.tasks(...BATCH, ...FROM_ROOT)

      expect(told).toMatchObject({ code: 0, stderr: expect.stringContaining(`id=${id}`) })
      expect((await app.row(id!)).returnValue).toBe(3)
    },
  )
})

describe('TASK_MODULES', () => {
  it.each([
    ['the name of a package', '@acme/tasks'],
    ['a file of a package', '@acme/tasks/src/mail.tasks.js'],
    ['a glob in a package', '@acme/tasks/src/*.tasks.js'],
    ['a glob through a link', '../../node_modules/@acme/tasks/**/*.tasks.js'],
    ['a glob over links', '../../node_modules/@acme/*/src/*.tasks.js'],
  ])('may have %s', async (_, entry) => {
    const app = await monorepo({}, `exports.TASK_MODULES = ${JSON.stringify(entry)}`)
    linkPackage(app.root)

    const { code, stdout, stderr } = await app.tasks('check', '-v', '2', ...FROM_ROOT)

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('task app.add\n')
  })

  it.each([
    [
      '@acme/missing',
      `'@acme/missing' matches no file below DB, and no package there has that name and file. Install the package in DB, or list the files of the workspace by their paths, such as '../tasks/src/**/*.tasks.ts'.`,
    ],
    [
      '../tasks/src',
      `'../tasks/src' is a folder. Write a glob of its files: '../tasks/src/**/*.{ts,js}'.`,
    ],
  ])('says why %s gives no tasks', async (entry, message) => {
    const app = await monorepo({}, `exports.TASK_MODULES = ${JSON.stringify(entry)}`)

    const { code, stderr } = await app.tasks(...BATCH, ...FROM_ROOT)

    const db = join(app.root, 'packages/db')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `error: TASK_MODULES of ${db}/data-source.js: ${message.replaceAll('DB', db)}\n`,
    })
  })

  it('may be below folders whose names are patterns', async () => {
    const app = await cliApp({
      files: {
        'tasks.js': '',
        'my app (x)/[jobs]/a.js': TASKS_FILE,
        'my app (x)/[jobs]/(b).js': `require('typeorm-tasks').task('app.b', async () => 1)`,
        'my app (x)/{c}/d.js': `require('typeorm-tasks').task('app.d', async () => 1)`,
      },
    })
    app.write(
      'ormconfig.js',
      `${dataSourceFile().replaceAll('../../', '')}
       exports.TASK_MODULES = [join(__dirname, 'my app (x)/[jobs]/a*.js'), 'my app (x)/[jobs]/(b).js', 'my app \\\\(x\\\\)/\\\\{c\\\\}/*.js']`,
    )

    const { stdout } = await app.tasks('check', '-v', '2')

    expect(stdout).toMatch(/task app.add\ntask app.b\ntask app.d\n/)
  })
})

function linkPackage(root: string): void {
  mkdirSync(join(root, 'node_modules/@acme'), { recursive: true })
  symlinkSync(join(root, 'packages/tasks'), join(root, 'node_modules/@acme/tasks'), 'junction')
}
