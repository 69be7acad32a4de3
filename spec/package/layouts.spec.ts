import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeProgram } from '../support/node-program'
import {
  asInstalled,
  installInto,
  linkInto,
  type Ran,
  runNode,
  tarball,
  temporaryFolder,
  versionOf,
  writeFiles,
} from '../support/packed'
import { workspaceFiles } from '../support/workspace'

jest.setTimeout(240_000)

const NATIVE = 'better-sqlite3'
const folder = temporaryFolder('layouts')

// better-sqlite3 is compiled for the Node that installed this repository.
const describeHere = nodeProgram() === process.execPath ? describe : describe.skip

describeHere('a workspace of npm', () => {
  const workspace = join(folder, 'workspace')
  const database = join(folder, 'app.sqlite')

  beforeAll(() => {
    writeFiles(workspace, {
      'package.json': { private: true, workspaces: ['built/*', 'source/*'] },
      ...workspaceFiles(database),
    })
    const packages = ['typeorm', 'reflect-metadata', '@types/node'].map(asInstalled)
    installInto(workspace, [tarball(), ...packages, 'esbuild@0.28'])
    for (const name of [NATIVE, 'bindings', 'file-uri-to-path']) linkInto(workspace, name)
    linkInto(workspace, 'typescript-5', 'typescript')
  })

  it('with project references: an app enqueues in a transaction, and a worker runs the task', () => {
    const tsc = ['node_modules/typescript/bin/tsc', '-b', 'built/api', 'built/worker']
    expect(runNode(workspace, tsc)).toMatchObject({ status: 0, stdout: '' })
    const declared = readFileSync(join(workspace, 'built/tasks/dist/index.d.ts'), 'utf8')
    expect(declared).toContain('sum: number')
    expect(declared).not.toContain('typeorm-tasks/dist')
    const [id = ''] = told(runNode(workspace, ['built/api/dist/enqueue.js']))
    expect(told(runNode(workspace, ['built/worker/dist/worker.js']))).toMatchObject({ started: 1 })

    expect(rows(workspace, `${database}-built`)).toEqual([
      [id.replaceAll('-', ''), 'SUCCESSFUL', { sum: 42 }],
    ])
  })

  it('with packages of sources only: a bundled app enqueues in a transaction, and db_worker runs the task', () => {
    const externals = ['typeorm-tasks', 'typeorm', 'reflect-metadata', NATIVE]
    const made = runNode(workspace, [
      'node_modules/esbuild/bin/esbuild',
      'source/api/src/enqueue.ts',
      '--bundle',
      '--platform=node',
      '--log-level=error',
      '--outfile=out/enqueue.js',
      ...externals.map((name) => `--external:${name}`),
    ])
    expect(made).toMatchObject({ status: 0, stderr: '' })
    const [id = ''] = told(runNode(workspace, ['out/enqueue.js']))
    const worked = runNode(workspace, [
      'node_modules/typeorm-tasks/dist/cli/index.js',
      'db_worker',
      '-d',
      'source/db/src/data-source.ts',
      '--batch',
      '--no-startup-delay',
    ])
    expect(worked).toMatchObject({ status: 0 })

    expect(rows(workspace, `${database}-source`)).toEqual([
      [id.replaceAll('-', ''), 'SUCCESSFUL', { sum: 42 }],
    ])
  })
})

describe("Yarn Plug'n'Play", () => {
  const app = join(folder, 'pnp')
  const yarn = (...args: string[]): Ran => {
    const env = {
      YARN_NPM_REGISTRY_SERVER: execFileSync('npm', ['config', 'get', 'registry'], {
        encoding: 'utf8',
      }).trim(),
      YARN_ENABLE_TELEMETRY: '0',
      YARN_NODE_LINKER: 'pnp',
      YARN_ENABLE_GLOBAL_CACHE: 'false',
      YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    }
    return runNode(app, [join(folder, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js'), ...args], env)
  }

  beforeAll(() => {
    writeFiles(folder, { 'package.json': { private: true } })
    installInto(folder, ['@yarnpkg/cli-dist@4'])
    writeFiles(app, { ...PNP_FILES, 'package.json': manifest(), 'yarn.lock': '' })
    expect(yarn('install')).toMatchObject({ status: 0 })
  })

  it('has the library in an archive, where a worker runs tasks, isolated ones too', () => {
    const where = yarn('node', '-p', "require.resolve('typeorm-tasks')")
    expect(where.stdout).toContain('.zip')
    expect(readdirSync(app)).not.toContain('node_modules')
    expect(yarn('node', 'enqueue.js')).toMatchObject({ status: 0 })
    const worked = yarn('tasks', 'db_worker', '--batch', '--no-startup-delay')
    expect(worked).toMatchObject({ status: 0 })

    const read = told(yarn('node', 'read.js')) as unknown as [string, string, number][]
    expect(read).toEqual([
      ['sums.add', 'SUCCESSFUL', expect.any(Number)],
      ['sums.isolated', 'SUCCESSFUL', expect.any(Number)],
    ])
    expect(read[0]![2]).not.toBe(read[1]![2])
  })

  function manifest(): object {
    const dependencies = ['typeorm', 'reflect-metadata', 'sql.js'].map((name) => [
      name,
      versionOf(name),
    ])
    return {
      name: 'pnp',
      private: true,
      dependencies: { 'typeorm-tasks': `file:${tarball()}`, ...Object.fromEntries(dependencies) },
    }
  }
})

/** SQLite in WebAssembly: nothing has to be compiled in an archive. The worker comes after the app, which is one process. */
const PNP_FILES = {
  'data-source.js': `require('reflect-metadata')
const { DataSource } = require('typeorm')
const { configureTasks, DBTaskResult } = require('typeorm-tasks')
const dataSource = new DataSource({ type: 'sqljs', location: 'app.sqlite', autoSave: true, synchronize: true, entities: [DBTaskResult] })
configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })
exports.dataSource = dataSource
`,
  'sums.tasks.js': `const { task } = require('typeorm-tasks')
exports.add = task('sums.add', () => process.pid)
exports.isolated = task('sums.isolated', () => process.pid, { isolate: true })
`,
  'enqueue.js': `const { dataSource } = require('./data-source.js')
const { add, isolated } = require('./sums.tasks.js')
dataSource.initialize().then(async () => {
  await dataSource.transaction(async (manager) => {
    await add.using({ manager }).enqueue()
    await isolated.using({ manager }).enqueue()
  })
  await dataSource.destroy()
})
`,
  'read.js': `const { dataSource } = require('./data-source.js')
const { DBTaskResult } = require('typeorm-tasks')
dataSource.initialize().then(async () => {
  const rows = await dataSource.getRepository(DBTaskResult).find({ order: { taskPath: 'ASC' } })
  console.log(JSON.stringify(rows.map((row) => [row.taskPath, row.status, row.returnValue])))
  await dataSource.destroy()
})
`,
}

function told(ran: Ran): string[] {
  expect(ran).toMatchObject({ status: 0 })
  return JSON.parse(ran.stdout) as string[]
}

/** All rows of a database, as the file holds them; an id may be stored without its dashes. */
function rows(workspace: string, database: string): unknown {
  const script = `const rows = require('${NATIVE}')(process.argv[1]).prepare('SELECT id, status, return_value FROM db_task_result').all()
console.log(JSON.stringify(rows.map((row) => [row.id.replaceAll('-', ''), row.status, JSON.parse(row.return_value)])))`
  return told(runNode(workspace, ['-e', script, database]))
}
