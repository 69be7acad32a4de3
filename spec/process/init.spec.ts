import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { appOf } from '../support/temp-app'
import { writeFiles } from '../support/packed'

jest.setTimeout(60_000)

const BIN = join(__dirname, '../../dist/cli/index.js')
const PACKAGES = { 'typeorm-tasks': '..', 'better-sqlite3': 'better-sqlite3' }
const DATA_SOURCE = `const { DataSource } = require('typeorm')
const dataSource = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite', entities: [], migrations: ['migrations/*.js'] })
module.exports = { dataSource }
`

interface Told {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function init(root: string, args: readonly string[] = ['--yes'], options: object = {}): Told {
  return spawnSync(process.execPath, [BIN, 'init', ...args], {
    cwd: root,
    encoding: 'utf8',
    ...options,
  })
}

function appWith(files: Record<string, string> = {}, more: Record<string, string> = {}): string {
  return appOf({ 'data-source.js': DATA_SOURCE, ...files }, { ...PACKAGES, ...more })
}

function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('node_modules'))
    .toSorted()
}

function git(root: string, ...args: string[]): string {
  const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com']
  return execFileSync('git', [...author, ...args], { cwd: root, encoding: 'utf8' })
}

describe('init refuses, with the fix', () => {
  it('a folder without package.json', () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-empty-')))

    expect(init(root)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `error: There is no package.json in ${root}, nor in a folder above it. Go to the folder of your app; in a new one run "npm init -y" and "npm install typeorm-tasks typeorm" first.\n`,
    })
    rmSync(root, { recursive: true })
  })

  it.each([
    ['[]', 'is no JSON object. Write it anew: npm init -y'],
    ['{ "name": ', 'is not valid JSON: SyntaxError: '],
  ])('a package.json with %s', (text, message) => {
    const told = init(appWith({ 'package.json': text }))

    expect(told.status).toBe(1)
    expect(told.stderr).toContain(`package.json ${message}`)
  })

  it('two data sources, and asks for -d', () => {
    const root = appWith({ 'src/other.js': DATA_SOURCE, 'src/other.spec.js': DATA_SOURCE })

    expect(init(root)).toMatchObject({
      status: 2,
      stderr:
        'error: 2 files make a DataSource: data-source.js, src/other.js. Say which one is to have the tasks table: npx tasks init -d data-source.js\n',
    })
    expect(init(root, ['--yes', '-d', 'src/other.js'])).toMatchObject({ status: 0 })
    expect(readFileSync(join(root, 'data-source.js'), 'utf8')).toBe(DATA_SOURCE)
    expect(readFileSync(join(root, 'src/other.js'), 'utf8')).toContain('TASKS')
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toContain('db_worker -d src/other.js')
  })

  it('two data sources in one file', () => {
    const text = `${DATA_SOURCE}module.exports.second = new DataSource({ type: 'better-sqlite3', database: 'b' })`

    expect(init(appWith({ 'data-source.js': text })).stderr).toContain(
      'data-source.js exports 2 DataSources: dataSource, second. Export only one',
    )
  })

  it('an app without a data source', () => {
    const root = appOf({ 'index.js': '' }, PACKAGES)

    expect(init(root)).toMatchObject({
      status: 1,
      stderr: `error: No file in ${root} makes a DataSource: none says "new DataSource(", and there is no ormconfig or data-source file. Write data-source.js with \`export const dataSource = new DataSource({ type: …, entities: [ … ], migrations: [ … ] })\`, or give the file that exports one: -d path/to/file.\n`,
    })
  })

  it('an app of Nest whose options are in its module only', () => {
    const root = appOf(
      { 'src/app.module.ts': `TypeOrmModule.forRoot({})` },
      {
        ...PACKAGES,
        '@nestjs/core': '@nestjs/core',
        typescript: 'typescript-5',
      },
    )

    expect(init(root).stderr).toContain(
      'In Nest give TypeOrmModule the same options: `TypeOrmModule.forRoot(dataSource.options)`; migrations need the file.',
    )
  })

  it('--nest without Nest', () => {
    const root = appWith({ 'yarn.lock': '' })

    expect(init(root, ['--yes', '--nest', 'app.module.ts'])).toMatchObject({
      status: 2,
      stderr: `error: argument --nest: ${root} has no @nestjs/core. Leave --nest out, or run: yarn add @nestjs/core @nestjs/common\n`,
    })
  })

  it.each([
    [
      'none.ts',
      "none.ts is no TypeScript file. Give the source of the app's root module: --nest src/app.module.ts#AppModule.",
    ],
    ['shop.ts#Other', 'shop.ts has no class Other. It has: ShopModule, Second.'],
    ['data.ts', 'data.ts has no class at all. Give the file of the root module.'],
  ])('--nest %s', (given, message) => {
    const files = { 'shop.ts': 'export class ShopModule {}\nexport class Second {}', 'data.ts': '' }

    const told = init(appWith(files, { '@nestjs/core': '@nestjs/core' }), [
      '--yes',
      '--nest',
      given,
    ])

    expect(told.status).toBe(2)
    expect(told.stderr).toContain(message)
  })

  it("a package that is not installed, by the app's package manager", () => {
    const root = appOf({ 'data-source.js': DATA_SOURCE, 'pnpm-lock.yaml': '' })

    expect(init(root).stderr).toBe(
      `error: ${root} does not have typeorm-tasks installed. Run: pnpm add typeorm-tasks\n`,
    )
  })

  it('to write without a question where nobody can answer', () => {
    const root = appWith()

    expect(init(root, [])).toMatchObject({
      status: 2,
      stderr:
        'error: tasks init asks before it writes, and there is no terminal to answer on. Give --yes to write without a question, or --dry-run to see what would be written.\n',
    })
    expect(filesIn(root)).toEqual(['data-source.js', 'package.json'])
  })

  it('a folder that it cannot write to, before it writes anything', () => {
    const root = appWith({ 'src/x.js': '' })
    for (const path of ['.', 'data-source.js', 'package.json']) chmodSync(join(root, path), 0o755)
    chmodSync(join(root, 'src'), 0o555)
    // Nothing is read-only for the superuser.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

    const told = init(root, ['--yes'], user)

    expect(told).toMatchObject({
      status: 1,
      stderr: `error: ${root}/src/example.tasks.js cannot be written (EACCES). Make ${root}/src writable for you, or see with --dry-run what to write there.\n`,
    })
    expect(filesIn(root)).toEqual(['data-source.js', 'package.json', 'src', 'src/x.js'])
  })
})

it('init refuses a folder of migrations that it cannot write to', () => {
  const root = appWith({ 'migrations/.keep': '' })
  for (const path of ['data-source.js', 'package.json']) chmodSync(join(root, path), 0o666)
  chmodSync(root, 0o777)
  chmodSync(join(root, 'migrations'), 0o555)
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

  const told = init(root, ['--yes'], user)

  expect(told.status).toBe(1)
  expect(told.stderr).toMatch(
    /^error: .*-DbTaskResult\.js cannot be written \(EACCES\)\. Make .*\/migrations writable for you/,
  )
})

describe('init refuses, before it writes anything,', () => {
  it('a file where the folder of migrations is to be', () => {
    const root = appWith({ migrations: '' })

    expect(init(root)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `error: ${root}/migrations is no folder, so nothing can be written into it. Rename that file.\n`,
    })
    expect(filesIn(root)).toEqual(['data-source.js', 'migrations', 'package.json'])
  })

  it('a new file that is a link to nothing', () => {
    const root = appWith()
    symlinkSync('/nowhere/x.js', join(root, 'example.tasks.js'))

    expect(init(root)).toMatchObject({
      status: 1,
      stderr: `error: ${root}/example.tasks.js is a link to a file that is not there. Delete the link, or put a file where it leads to.\n`,
    })
    expect(readFileSync(join(root, 'data-source.js'), 'utf8')).toBe(DATA_SOURCE)
  })
})

describe('init', () => {
  it('shows the scripts where package.json has no place for them', () => {
    const manifest = `{\n  "scripts": null\n}`
    const root = appWith({ 'package.json': manifest })

    const { status, stdout } = init(root)

    expect(status).toBe(1)
    expect(stdout).toContain('For you: package.json is not of a plain form')
    expect(stdout).toContain('"worker": "tasks db_worker"')
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toBe(manifest)
  })

  it('reads a package.json with a byte order mark', () => {
    const root = appWith({ 'package.json': '\uFEFF{ "name": "x" }' })

    expect(init(root)).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toMatch(
      /^\uFEFF\{ "name": "x", "scripts"/,
    )
  })

  it('tells what it found, and that the git tree is dirty, and goes on', () => {
    const root = appWith({ 'package-lock.json': '{}', '.gitignore': 'node_modules\n' })
    git(root, 'init', '--quiet')

    const { status, stdout } = init(root)

    expect(status).toBe(0)
    expect(stdout).toContain(`Found in ${root}:
  package          (no name)
  package manager  npm (package-lock.json)
  language         JavaScript
  modules          CommonJS
`)
    expect(stdout).toContain('  data source      data-source.js (better-sqlite3)\n')
    expect(stdout).toMatch(
      /Not committed: 4 file\(s\)\. Commit them first if "git diff" is to show/,
    )
    git(root, 'add', '--all')
    git(root, 'commit', '--quiet', '--message', 'x')
    expect(init(root).stdout).not.toContain('Not committed')
    expect(git(root, 'status', '--porcelain')).toBe('')
  })

  it('writes nothing with --dry-run, and shows all of it', () => {
    const root = appWith()

    const { status, stdout, stderr } = init(root, ['--dry-run', '--schedules', '--dashboard'])

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const part of [
      'New: example.tasks.js',
      'New: example.schedules.tasks.js',
      'New: tasks.dashboard.js',
      'Changed: data-source.js',
      "+ const { configureTasks, taskEntities } = require('typeorm-tasks')",
      'Changed: package.json',
      'CREATE TABLE "db_task_result"',
    ])
      expect(stdout).toContain(part)
    // SQLite makes an empty file for who looks whether there is a table.
    expect(filesIn(root).filter((name) => !name.startsWith('app.sqlite'))).toEqual([
      'data-source.js',
      'package.json',
    ])
  })

  it('keeps what is there: files, scripts, tasks', () => {
    const root = appWith({
      'package.json': '{ "scripts": { "worker": "mine" } }',
      'mail.tasks.js': `require('typeorm-tasks').task('mail.send', () => 1)`,
      'tasks.dashboard.js': '// mine',
    })

    const { status, stdout } = init(root, ['--yes', '--dashboard'])

    expect(status).toBe(0)
    expect(stdout).not.toContain('example.tasks.js')
    expect(readFileSync(join(root, 'tasks.dashboard.js'), 'utf8')).toBe('// mine')
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toBe(
      '{ "scripts": { "worker": "mine", "tasks:check": "tasks check" } }',
    )
  })

  it('says what is left where the database cannot be reached, and goes on from there', () => {
    const away = `{ type: 'postgres', host: '127.0.0.1', port: 1, entities: [], migrations: ['migrations/*.js'] }`
    const text = DATA_SOURCE.replace(/\{ type: .* \}/, away)
    const root = appWith({ 'data-source.js': text }, { pg: 'pg' })

    const { status, stdout } = init(root)

    expect(status).toBe(1)
    expect(stdout).toContain('No migration is written. The database cannot be reached: ')
    expect(stdout).toContain(
      'Not finished: the migration is not written. Then run npx tasks init again.',
    )
    expect(existsSync(join(root, 'example.tasks.js'))).toBe(true)
  })

  it('writes no migration where TypeORM makes the tables, and ends with a check', () => {
    const root = appWith({
      'data-source.js': DATA_SOURCE.replace('entities', 'synchronize: true, entities'),
    })

    const { status, stdout, stderr } = init(root)

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('No migration is written: the DataSource has `synchronize: true`')
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(
      'System check identified no issues (1 task(s), 1 backend(s)).',
    )
  })

  it('waits while another migration is not applied', () => {
    const root = appWith({
      'migrations/1700000000000-Users.js': `exports.Users1700000000000 = class Users1700000000000 { name = 'Users1700000000000'; async up() {} async down() {} }`,
    })

    const { status, stdout } = init(root)

    expect(status).toBe(1)
    expect(stdout).toContain(
      'No migration is written. 1 migration is not applied: Users1700000000000. Apply it first',
    )
  })

  it('prints no password of the lines around a change', () => {
    const text = DATA_SOURCE.replace(
      'entities',
      `password: 'hush-1', "password": "hush-2", entities`,
    )

    const { status, stdout } = init(appWith({ 'data-source.js': text }))

    expect(status).toBe(0)
    expect(stdout).toContain(`password: '***', "password": "***", entities: [...taskEntities]`)
    expect(stdout).not.toContain('hush')
  })

  it('adds no TASKS where the app configures them in another file, nor entities beside a schema of the table', () => {
    const text = DATA_SOURCE.replace(
      'entities: []',
      `entities: [require('typeorm-tasks').dbTaskResultSchema({ tableName: 'shop_tasks' })]`,
    )
    const root = appWith({
      'data-source.js': text,
      'src/tasks-config.js': `require('typeorm-tasks').configureTasks({})`,
    })

    const { status, stdout } = init(root)

    expect(status).toBe(0)
    expect(readFileSync(join(root, 'data-source.js'), 'utf8')).toBe(text)
    expect(stdout).toContain('Apply the migration, then check')
    const [migration = ''] = readdirSync(join(root, 'migrations'))
    expect(readFileSync(join(root, 'migrations', migration), 'utf8')).toContain('"shop_tasks"')
  })

  it('is not misled by what comments and texts say', () => {
    const root = appWith({
      'notes.js': `// TODO: configureTasks({})\n// once there was new DataSource({})\n// @TaskHandler('x')\nexports.x = 'new DataSource('\n`,
    })

    const { status, stdout } = init(root)

    expect(status).toBe(0)
    expect(stdout).toContain('New: example.tasks.js')
    expect(readFileSync(join(root, 'data-source.js'), 'utf8')).toContain('configureTasks({')
  })

  it('gives new files the ending that the data source has', () => {
    const text = `import { DataSource } from 'typeorm'\nexport const db = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite', synchronize: true, entities: [] })\n`
    const root = appOf({ 'db.mjs': text }, PACKAGES)

    expect(init(root)).toMatchObject({ status: 0, stderr: '' })
    expect(filesIn(root)).toContain('example.tasks.mjs')
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toContain('tasks db_worker -d db.mjs')
  })

  it.each([
    ['data-source.cjs', '{ "type": "module" }', 'migrations/*.js', /-DbTaskResult\.js$/],
    ['data-source.cjs', '{ "type": "module" }', 'migrations/*.cjs', /-DbTaskResult\.cjs$/],
    ['data-source.mjs', '{}', 'migrations/*.js', /-DbTaskResult\.js$/],
    ['data-source.mjs', '{}', 'migrations/*.mjs', /-DbTaskResult\.mjs$/],
  ])(
    'writes a migration that loads, for %s in a package of %s with %s',
    (name, manifest, glob, file) => {
      const common = DATA_SOURCE.replace('migrations/*.js', glob)
      const text = name.endsWith('.cjs')
        ? common
        : common
            .replace(/^const (.*) = require\((.*)\)/, 'import $1 from $2')
            .replace('module.exports =', 'export')
      const root = appOf({ 'package.json': manifest, [name]: text }, PACKAGES)

      expect(init(root)).toMatchObject({ status: 0, stderr: '' })
      expect(readdirSync(join(root, 'migrations'))).toEqual([expect.stringMatching(file)])
      const tables = spawnSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `
      const { dataSource } = await import('./${name}')
      await dataSource.initialize()
      console.log((await dataSource.runMigrations()).length)`,
        ],
        { cwd: root, encoding: 'utf8' },
      )
      expect(tables).toMatchObject({ status: 0, stdout: '1\n' })
      expect(init(root).stdout).toContain('System check identified no issues')
    },
  )

  it('leaves the migration to the reader where its folder is not clear', () => {
    const text = DATA_SOURCE.replace('migrations/*.js', '{a,b}*/x*/*.js')
    const root = appWith({ 'data-source.js': text })

    const { status, stdout } = init(root)

    expect(status).toBe(1)
    expect(stdout).toContain('Write it: npx tasks makemigrations --outdir path/to/migrations\n')
    expect(stdout).toContain('Write and apply the migration, then check: npm run tasks:check')
  })

  it('writes after a yes, and nothing after a no', async () => {
    const root = appWith()

    expect(await answered(root, 'n')).toContain('Nothing is changed.')
    expect(existsSync(join(root, 'example.tasks.js'))).toBe(false)
    expect(await answered(root, '')).toContain('Wrote example.tasks.js')
  })

  it('names the compiled files for production, and how the manager starts them', () => {
    const root = appOf(
      {
        'pnpm-lock.yaml': '',
        'tsconfig.json': '{ "compilerOptions": { "outDir": "./build", "rootDir": "src" } }',
        'src/data-source.ts': `import { DataSource } from 'typeorm'\nexport const dataSource = new DataSource({ type: 'better-sqlite3', database: 'app.sqlite', synchronize: true, entities: [] })\n`,
      },
      { ...PACKAGES, '@swc/core': '@swc/core' },
    )

    const { stdout } = init(root)

    expect(stdout).toContain(
      '  worker: node node_modules/.bin/tasks db_worker -d build/data-source.js\n',
    )
    expect(stdout).toContain('  pnpm run worker\n')
  })
})

/** The output of a command whose standard input says that it is a terminal. */
async function answered(root: string, answer: string): Promise<string> {
  writeFiles(root, { 'node_modules/tty.cjs': `process.stdin.isTTY = true` })
  const child = spawn(process.execPath, ['-r', './node_modules/tty.cjs', BIN, 'init'], {
    cwd: root,
  })
  let told = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (told += text))
  child.stdin.end(`${answer}\n`)
  await new Promise((resolve) => child.once('close', resolve))
  return told
}
