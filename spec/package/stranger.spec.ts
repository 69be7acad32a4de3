import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { databases } from '../support/databases'
import { nodeProgram } from '../support/node-program'
import {
  installOnceInto,
  linkInto,
  type Ran,
  tarball,
  temporaryFolder,
  versionOf,
} from '../support/packed'
import { apps, filesOf, type StrangerApp } from '../support/stranger-apps'

jest.setTimeout(180_000)

const scratch = temporaryFolder('stranger')
const program = nodeProgram()
const versions = { '1': versionOf('typeorm'), '0.3': versionOf('typeorm-0.3') }

/** What an app has installed: the packed tarball and TypeORM by npm, as a stranger would. */
const installed: Partial<Record<'1' | '0.3', string>> = {}

beforeAll(() => {
  for (const version of ['1', '0.3'] as const) installed[version] = install(version)
})

describe.each(apps)('an app of $title', (app) => {
  const database = databases().find(({ name }) => name === app.database)
  // better-sqlite3 is compiled for the Node that installed this repository.
  const isCompiled = program === process.execPath || app.database !== 'sqlite'
  const go = database && isCompiled ? it : it.skip

  go('gets from an empty folder to its first result', async () => {
    const folder = await newApp(app, await database!.fresh())

    const made = tasks(folder, ['makemigrations', ...sourceOf(app)])
    expect(made).toMatchObject({ status: 0 })
    expect(readdirSync(join(folder, 'migrations'))).toHaveLength(1)
    migrate(app, folder)
    expect(
      typeorm(app, folder, ['migration:generate', 'migrations/own', ...formOf(app)]),
    ).toMatchObject({ status: 0 })
    expect(textOf(folder, 'own')).toContain('note')
    expect(textOf(folder, 'own')).not.toContain('db_task_result')
    migrate(app, folder)

    const id = node(folder, entry(app, 'enqueue')).stdout.trim()
    const worked = tasks(folder, ['db_worker', '--batch', '--no-startup-delay', ...sourceOf(app)])
    expect(worked).toMatchObject({ status: 0 })
    expect(worked.stderr).toContain(`Task id=${id} path=sums.add state=SUCCESSFUL`)

    expect(JSON.parse(node(folder, entry(app, 'read'), id).stdout)).toEqual({
      status: 'SUCCESSFUL',
      returnValue: { sum: 42 },
      workers: 1,
    })
    expect(
      typeorm(app, folder, ['migration:generate', 'migrations/again', '--check']).stdout,
    ).toContain('No changes in database schema were found')
    expect(tasks(folder, ['makemigrations', '--check', ...sourceOf(app)])).toMatchObject({
      status: 0,
    })
  })
})

it('the command has a second name, for folders where "tasks" is another package', () => {
  const commandIn = (name: string): Ran =>
    node(installed['1']!, `node_modules/.bin/${name}`, '--help')

  expect(commandIn('typeorm-tasks')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('db_worker'),
  })
  expect(commandIn('typeorm-tasks').stdout).toBe(commandIn('tasks').stdout)
})

function install(version: '1' | '0.3'): string {
  const folder = join(scratch, `installed-${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  installOnceInto(folder, [
    tarball(),
    `typeorm@${versions[version]}`,
    'reflect-metadata@0.2',
    'pg@8',
    'mysql2@3',
  ])
  // Compiled once for the repository; building it again would take a minute. The compilers are the app's own choice.
  for (const name of [
    'better-sqlite3',
    'bindings',
    'file-uri-to-path',
    '@swc/core',
    '@types/node',
    'undici-types',
  ])
    linkInto(folder, name)
  linkInto(folder, 'typescript-5', 'typescript')
  linkInto(folder, 'typescript', 'typescript-7')
  return folder
}

async function newApp(app: StrangerApp, connection: object): Promise<string> {
  const folder = mkdtempSync(join(scratch, 'app-'))
  for (const [path, text] of Object.entries(filesOf(app, connection))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  symlinkSync(
    join(installed[app.typeorm]!, 'node_modules'),
    join(folder, 'node_modules'),
    'junction',
  )
  return folder
}

/** The commands of TypeORM and the scripts run on what TypeScript compiled; ours on the sources as they are. */
function compile(app: StrangerApp, folder: string): void {
  if (app.language === 'js') return
  // Both compilers have their turn.
  const compiler = app.typeorm === '1' ? 'typescript-7' : 'typescript'
  const { status, stdout } = node(folder, `node_modules/${compiler}/bin/tsc`, '-p', 'tsconfig.json')
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
}

function migrate(app: StrangerApp, folder: string): void {
  compile(app, folder)
  expect(typeorm(app, folder, ['migration:run'])).toMatchObject({ status: 0 })
}

function textOf(folder: string, name: string): string {
  const file =
    readdirSync(join(folder, 'migrations')).find((found) => found.includes(name)) ?? 'none'
  return readFileSync(join(folder, 'migrations', file), 'utf8')
}

function formOf(app: StrangerApp): string[] {
  if (app.language === 'ts') return []
  return app.modules === 'esm' ? ['--outputJs', '--esm'] : ['--outputJs']
}

function sourceOf(app: StrangerApp): string[] {
  return app.language === 'ts' ? ['-d', 'src/data-source.ts'] : []
}

function entry(app: StrangerApp, name: string): string {
  return app.language === 'ts' ? `dist/src/${name}.js` : `${name}.js`
}

function tasks(folder: string, args: string[]): Ran {
  return node(folder, 'node_modules/.bin/tasks', ...args)
}

function typeorm(app: StrangerApp, folder: string, [command = '', ...args]: string[]): Ran {
  return node(
    folder,
    'node_modules/typeorm/cli.js',
    command,
    ...args,
    '-d',
    app.language === 'ts' ? 'dist/src/data-source.js' : 'data-source.js',
  )
}

function node(folder: string, ...args: string[]): Ran {
  const env = { ...process.env, NODE_ENV: '', NODE_OPTIONS: '' }
  const ran = spawnSync(program, args, { cwd: folder, encoding: 'utf8', env })
  // What it said is what one needs to see when it failed.
  return ran.status === 0
    ? ran
    : { ...ran, stderr: `${args.join(' ')}\n${ran.stdout}${ran.stderr}` }
}
