import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import manifest from '../../package.json'
import { databases } from '../support/databases'
import { type InitApp, initApps, initFiles } from '../support/init-apps'
import {
  asInstalled,
  installOnceInto,
  linkInto,
  type Ran,
  runNode,
  tarball,
  temporaryFolder,
  versionOf,
  writeFiles,
} from '../support/packed'

jest.setTimeout(240_000)

const scratch = temporaryFolder('init')
const versions = { '1': versionOf('typeorm'), '0.3': versionOf('typeorm-0.3') }
const INIT = ['init', '--yes', '--schedules', '--dashboard']

/** Whether the package has `typeorm-tasks/nestjs`. */
const hasNestModule = './nestjs' in (manifest.exports as object)

/** What the apps have installed: the packed tarball and TypeORM by npm. */
const installed: Partial<Record<string, string>> = {}

beforeAll(() => {
  for (const version of ['1', '0.3'] as const) installed[version] = install(version)
})

describe.each(initApps)('npx tasks init in an app of $title', (app) => {
  const database = databases().find(({ name }) => name === app.database)
  const isThere = database && (!app.isNest || hasNestModule)
  const go = isThere ? it : it.skip

  go('goes on to a task that is SUCCESSFUL, and a second run changes nothing', async () => {
    const folder = newApp(app, await database!.fresh())

    const first = tasks(folder, INIT)
    if (app.byHand) {
      expect(first).toMatchObject({ status: 1 })
      expect(first.stdout).toContain('data-source.ts is not of a plain form')
      addByHand(app, folder)
      expect(tasks(folder, INIT)).toMatchObject({ status: 0, stderr: '' })
    } else expect(first).toMatchObject({ status: 0, stderr: '' })
    compile(app, folder)
    commit(folder)
    expect(tasks(folder, INIT)).toMatchObject({ status: 0, stderr: '' })
    expect(git(folder, 'status', '--porcelain')).toBe('')

    migrate(app, folder)
    const second = tasks(folder, INIT)
    expect(second).toMatchObject({ status: 0, stderr: '' })
    expect(second.stdout).toContain('System check identified no issues (')
    expect(git(folder, 'status', '--porcelain')).toBe('')

    const found = app.isNest ? ['--nest', 'src/app.module.ts#AppModule'] : []
    const id = tasks(folder, ['enqueue', 'example.hello', '["Ada"]', ...found]).stdout.trim()
    const worked = tasks(folder, ['db_worker', '--batch', '--no-startup-delay', ...found])
    expect(worked).toMatchObject({ status: 0 })
    expect(worked.stderr).toContain(`Task id=${id} path=example.hello state=SUCCESSFUL`)
    expect(tasks(folder, ['results', 'show', id]).stdout).toContain('Hello, Ada!')
  })
})

it('the scripts of package.json find the app', async () => {
  const database = databases().find(({ name }) => name === 'postgres')
  if (!database) return
  const app = initApps.find(({ title }) => title === 'TypeScript, ES modules, PostgreSQL')!
  const folder = newApp(app, await database.fresh(), { 'src/data-source.ts': 'src/shop.ts' })

  expect(tasks(folder, INIT)).toMatchObject({ status: 0 })
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    scripts: object
  }

  expect(scripts).toEqual({
    build: 'tsc',
    worker: 'tasks db_worker -d src/shop.ts',
    'tasks:check': 'tasks check -d src/shop.ts',
  })
})

function install(version: '1' | '0.3'): string {
  const folder = join(scratch, `installed-${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  const nest = ['@nestjs/common', '@nestjs/core', '@nestjs/typeorm', 'rxjs'].map(asInstalled)
  installOnceInto(folder, [
    tarball(),
    `typeorm@${versions[version]}`,
    'reflect-metadata@0.2',
    'pg@8',
    'mysql2@3',
    ...(version === '1' ? ['--legacy-peer-deps', ...nest] : []),
  ])
  for (const name of [
    'better-sqlite3',
    'bindings',
    'file-uri-to-path',
    '@types/node',
    'undici-types',
  ])
    linkInto(folder, name)
  linkInto(folder, 'typescript-5', 'typescript')
  linkInto(folder, 'typescript', 'typescript-7')
  return folder
}

function newApp(app: InitApp, connection: object, renamed: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(scratch, 'app-'))
  const files = Object.entries(initFiles(app, connection))
  writeFiles(folder, Object.fromEntries(files.map(([path, text]) => [renamed[path] ?? path, text])))
  symlinkSync(
    join(installed[app.typeorm]!, 'node_modules'),
    join(folder, 'node_modules'),
    'junction',
  )
  git(folder, 'init', '--quiet')
  commit(folder)
  return folder
}

function addByHand({ byHand = [] }: InitApp, folder: string): void {
  const file = join(folder, 'src/data-source.ts')
  const text = byHand.reduce(
    (made, [before, after]) =>
      before === '\n$' ? made + after : made.replace(before, () => after),
    readFileSync(file, 'utf8'),
  )
  writeFileSync(file, text)
}

function compile(app: InitApp, folder: string): void {
  // Both compilers have their turn.
  const compiler = app.typeorm === '1' ? 'typescript-7' : 'typescript'
  if (app.language === 'ts')
    expect(runNode(folder, [`node_modules/${compiler}/bin/tsc`])).toMatchObject({
      status: 0,
      stdout: '',
    })
}

function migrate(app: InitApp, folder: string): void {
  compile(app, folder)
  const file = app.language === 'ts' ? 'dist/data-source.js' : 'data-source.js'
  const ran = runNode(folder, ['node_modules/typeorm/cli.js', 'migration:run', '-d', file])
  expect(ran).toMatchObject({ status: 0 })
}

function tasks(folder: string, args: readonly string[]): Ran {
  return runNode(folder, ['node_modules/typeorm-tasks/dist/cli/index.js', ...args])
}

function commit(folder: string): void {
  const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com']
  git(folder, 'add', '--all')
  git(folder, ...author, 'commit', '--quiet', '--message', 'as it is')
}

function git(folder: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: folder, encoding: 'utf8' })
}
