import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const repository = join(__dirname, '../..')
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-copies-')))

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

beforeAll(() => {
  // Each package's dependencies are found above the copies.
  symlinkSync(join(repository, 'node_modules'), join(scratch, 'node_modules'), 'junction')
  for (const copy of ['one', 'two', 'other']) {
    mkdirSync(join(scratch, copy))
    cpSync(join(repository, 'dist'), join(scratch, copy, 'dist'), { recursive: true })
    cpSync(join(repository, 'package.json'), join(scratch, copy, 'package.json'))
  }
  writeFileSync(join(scratch, 'other/dist/lib/copies/version.js'), "exports.VERSION = '9.9.9'")
})

/** Runs a script that has both copies of the library; what it prints is JSON. */
function run(script: string, copies = ['one', 'two']): unknown {
  const file = join(scratch, 'script.cjs')
  const [one, two] = copies.map((copy) => JSON.stringify(`./${copy}/dist`))
  writeFileSync(
    file,
    `const { DataSource } = require('typeorm')
    const main = async () => {
      const one = require(${one}), two = require(${two})
      const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
      const onto = async (library, database = 'tasks.sqlite') => {
        const dataSource = new DataSource({ type: 'better-sqlite3', database, entities: [library.DBTaskResult], synchronize: true })
        await dataSource.initialize()
        library.configureTasks({ default: { BACKEND, OPTIONS: { dataSource } } })
        return dataSource
      }
      ${script}
    }
    main().then((answer) => console.log(JSON.stringify(answer)))`,
  )
  return JSON.parse(execFileSync(process.execPath, [file], { cwd: scratch, encoding: 'utf8' }))
}

describe('two copies of one version', () => {
  it('have one registry: what one enqueues in a transaction the other runs', () => {
    expect(
      run(`
        const dataSource = await onto(one)
        const add = two.task('copies.add', (a, b) => a + b)
        let result
        await dataSource.transaction(async (manager) => { result = await add.using({ manager }).enqueue(1, 2) })
        const early = result.status
        await two.runUntilEmpty()
        await result.refresh()
        return [early, result.returnValue, result instanceof one.TaskResult]`),
    ).toEqual(['READY', 3, true])
  })

  it('the last configureTasks counts, whichever copy it is of', () => {
    expect(
      run(`
        const first = await onto(one, 'first.sqlite')
        const second = await onto(two, 'second.sqlite')
        await one.task('copies.one', () => 1).enqueue()
        return Promise.all([first, second].map((each) => each.getRepository(one.DBTaskResult).count()))`),
    ).toEqual([0, 1])
  })
})

it('a copy of another version is refused, with the place of both and what to do', () => {
  const script = join(scratch, 'versions.cjs')
  writeFileSync(script, "require('./one/dist'); require('./other/dist')")

  const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' })

  expect(status).not.toBe(0)
  expect(stderr).toMatch(
    /Two versions of typeorm-tasks are loaded in this process: \d+\.\d+\.\d+ from .*[/\\]one[/\\]dist[/\\].*, and 9\.9\.9 from .*[/\\]other[/\\]dist[/\\].*\. Use one version: `npm ls typeorm-tasks`/,
  )
})
