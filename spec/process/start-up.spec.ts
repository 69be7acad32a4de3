import { spawnSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { type CliApp, cliApp } from '../support/cli-app'

const HERE = realpathSync(join(__dirname, '../..'))
const BIN = join(HERE, 'dist/cli/index.js')

const LOOK = `process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED, JSON.stringify(Object.keys(require.cache))))`

interface Loaded {
  readonly code: number | null
  readonly stderr: string
  /** Files of this library, below `dist`. */
  readonly own: string[]
  /** Names of packages. */
  readonly packages: string[]
  /** All files, as paths with `/`. */
  readonly files: string[]
}

/** What the process of a command has loaded by its end. */
function loadedBy(app: CliApp, ...args: string[]): Loaded {
  return loadedIn(app, [BIN, ...args])
}

/** The same of any program. */
function loadedIn({ root, write }: CliApp, args: readonly string[]): Loaded {
  write('look.cjs', LOOK)
  const list = join(root, 'loaded.json')
  const { status, stderr } = spawnSync(process.execPath, ['-r', './look.cjs', ...args], {
    cwd: root,
    env: { ...process.env, LOADED: list },
    encoding: 'utf8',
  })
  const files = (JSON.parse(readFileSync(list, 'utf8')) as string[]).map((file) =>
    file.split(sep).join('/'),
  )
  const dist = join(HERE, 'dist')
  return {
    code: status,
    stderr,
    files,
    own: files.filter((file) => file.startsWith(`${dist}/`)).map((file) => relative(dist, file)),
    packages: [
      ...new Set(
        files
          .map((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
          .filter((name) => name !== undefined),
      ),
    ],
  }
}

/** What a worker of a compiled app with plain tasks has no use for. */
const IDLE_PACKAGES = [
  'validator',
  'libphonenumber-js',
  'class-transformer',
  'uuid',
  'fastest-levenshtein',
  'chokidar',
  '@nestjs/common',
  'rxjs',
  'cli-progress',
  'typescript',
  '@swc/core',
  '@opentelemetry/api',
  'prom-client',
]
const OTHERS =
  /^(dashboard\/|backends\/sharded\/|integrations\/|cli\/(dashboard\/|http\/|metrics\/(?!options|site)|health\/(?!options|probes|report)|commands\/(?!index|db-worker)|migrations\/|process\/(reload|supervis)|results\/|app\/isolated-app)|lib\/isolation\/child-main|backends\/database\/dialects\/(?!sqlite|dialect|sql-dialect|sql-text|names|records|plain-rows|free-rows|prunable|flow-rows|flow-ranges))/

let app: CliApp
beforeAll(async () => {
  app = await cliApp()
})

it('the package itself loads none of its other doors, and none of what only they need', () => {
  const door = join(HERE, 'dist/index.js')
  app.write('import.cjs', `require(${JSON.stringify(door)})`)
  const { code, own, packages } = loadedIn(app, ['import.cjs'])

  expect(code).toBe(0)
  expect(own).toContain('index.js')
  expect(
    own.filter((file) => /^(dashboard|integrations|cli|backends\/sharded)\//.test(file)),
  ).toEqual([])
  expect(packages.filter((name) => /^@nestjs\/|^rxjs$/.test(name))).toEqual([])
})

describe('db_worker --batch', () => {
  it('loads what it takes to look at the table, and no more', () => {
    const { code, own, packages, files } = loadedBy(app, 'db_worker', '--batch')

    expect(code).toBe(0)
    expect(own).toEqual(
      expect.arrayContaining([
        'cli/commands/db-worker.js',
        'lib/worker/worker.js',
        'backends/database/dialects/sqlite/dialect.js',
      ]),
    )
    expect(own.filter((file) => OTHERS.test(file))).toEqual([])
    expect(packages).toEqual(expect.arrayContaining(['typeorm', 'commander', 'class-validator']))
    expect(packages.filter((name) => IDLE_PACKAGES.includes(name))).toEqual([])
    expect(files.filter((file) => file.endsWith('/class-validator/cjs/index.js'))).toEqual([])
  })

  it('loads what checks arguments for the tasks that list classes', async () => {
    const classes = await cliApp({
      files: {
        'tasks.js': `
      const { task } = require('typeorm-tasks')
      const { IsInt } = require('class-validator')
      class Age {}
      IsInt()(Age.prototype, 'years')
      task('app.age', async (age) => [age instanceof Age, age.years], { args: [Age] })`,
        'node_modules/class-validator/package.json': JSON.stringify({
          main: join(HERE, 'node_modules/class-validator/cjs/index.js'),
        }),
      },
    })
    const ids = await classes.enqueue('app.age', [[{ years: 7 }], [{ years: 'seven' }]])

    const { code, packages } = loadedBy(classes, 'db_worker', '--batch')

    expect(code).toBe(0)
    const [sound, faulty] = await Promise.all(ids.map((id) => classes.row(id)))
    expect(sound).toMatchObject({ status: 'SUCCESSFUL', returnValue: [true, 7] })
    expect(faulty).toMatchObject({
      status: 'FAILED',
      traceback: expect.stringContaining('years must be an integer number'),
    })
    expect(packages).toContain('libphonenumber-js') // so the list above is no mere absence of eyes
  })

  it('tells what is wrong with the set-up as its check does, and leaves', async () => {
    const bare = await cliApp()
    await bare.dataSource.query('DROP TABLE db_task_result')

    const { code, stderr } = loadedBy(bare, 'db_worker', '--batch')

    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error: The table "db_task_result" does not exist\..*makemigrations.*\n$/,
    )
  })
})

it.each(['--help', 'db_worker --help', '--version', 'db_worker --interval soon', 'list'])(
  'tasks %s loads no more than the command line itself',
  (call) => {
    const { own, packages } = loadedBy(app, ...call.split(' '))

    expect(packages).toEqual(['commander'])
    expect(own.filter((file) => /^(backends\/|lib\/(task|worker|settings)\.)/.test(file))).toEqual(
      [],
    )
  },
)

it("require('typeorm-tasks') loads the rooms below the door, and of packages what they stand on", () => {
  const script = `require('typeorm-tasks')
    console.log(JSON.stringify(Object.keys(require.cache)))`
  const { stdout } = spawnSync(process.execPath, ['-e', script], { cwd: HERE, encoding: 'utf8' })
  const dist = join(HERE, 'dist')
  const loaded = JSON.parse(stdout) as string[]
  const rooms = loaded
    .filter((file) => file.startsWith(dist + sep))
    .map((file) => relative(dist, file).split(sep)[0])

  expect([...new Set(rooms)].toSorted()).toEqual(['backends', 'entities', 'index.js', 'lib'])
  const strangers = ['@opentelemetry/api', 'prom-client', '@nestjs/common', 'express', 'validator']
  expect(
    strangers.filter((name) => loaded.some((file) => file.includes(join('node_modules', name)))),
  ).toEqual([])
})

it('every other command loads its own part', () => {
  const parts = ['check', 'makemigrations', 'results', 'enqueue', 'prune_db_task_results'].map(
    (command) =>
      loadedBy(app, command).own.filter((file) => /^cli\/commands\/(?!index)/.test(file)),
  )

  expect(parts).toEqual([
    ['cli/commands/check.js'],
    ['cli/commands/makemigrations.js'],
    ['cli/commands/results.js'],
    ['cli/commands/enqueue.js'],
    ['cli/commands/prune-db-task-results.js'],
  ])
})

it('an option that has the name of a command is no command, and lists of commands are whole', () => {
  write()
  const told = (...args: string[]): string =>
    spawnSync(process.execPath, [BIN, ...args], { cwd: app.root, encoding: 'utf8' }).stdout

  expect(told('check', '-d', 'enqueue.js')).toContain('System check identified no issues')
  expect(told('check', '-d', 'results')).toContain('System check identified no issues')
  expect(told('--help', 'check')).toContain('prune_db_task_results')
  expect(told('help')).toContain('prune_db_task_results')

  function write(): void {
    const text = readFileSync(join(app.root, 'ormconfig.js'), 'utf8')
    app.write('enqueue.js', text)
    app.write('results.js', text)
  }
})
