import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const HERE = join(__dirname, '../..')
const made: string[] = []

afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
})

/** What a real Node process says after loading an app: the app, or the error. */
export interface Loaded {
  error?: { name: string; message: string; cause?: string }
  file: string
  root: string
  language: string
  modules: string
  initialized: boolean
  tasksSettings: unknown
  taskFiles: string[]
  loadedTwice: string[]
  columns: Record<string, Record<string, string>>
  migrations: string[]
  ownFields: string[]
  traceback: string
  stderr: string
}

/** A folder outside the repository with these files, and in its node_modules these packages (its name there: ours). */
export function appOf(
  files: Record<string, string>,
  packages: Record<string, string> = {},
): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'typeorm-tasks-app-')))
  made.push(root)
  for (const [name, text] of Object.entries({ 'package.json': '{}', ...files }))
    write(join(root, name), text)
  for (const [name, ours] of Object.entries({
    typeorm: 'typeorm',
    'reflect-metadata': 'reflect-metadata',
    ...packages,
  })) {
    const link = join(root, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(HERE, 'node_modules', ours), link, 'junction')
  }
  return root
}

/** Whether the package is there: which compilers a machine has is its own matter. */
export function installed(name: string): boolean {
  return existsSync(join(HERE, 'node_modules', name))
}

/** Loads the app and its tasks with the compiled command line, in a process of its own. */
export function load(
  cwd: string,
  options: { dataSource?: string; nodeArgs?: string[]; initialize?: boolean } = {},
): Loaded {
  const { dataSource, nodeArgs = [], initialize = false } = options
  const given = JSON.stringify({ cwd, ...(dataSource === undefined ? {} : { dataSource }) })
  const call = [...nodeArgs, '-e', SCRIPT, join(HERE, 'dist/cli'), given, String(initialize)]
  const { stdout, stderr } = spawnSync(process.execPath, call, {
    cwd,
    encoding: 'utf8',
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  const answer = stdout.split('\n').find((line) => line.startsWith('{"answer"'))
  if (answer === undefined) throw new Error(`no answer; ${stdout}${stderr}`)
  return { ...(JSON.parse(answer) as { answer: Loaded }).answer, stderr }
}

const SCRIPT = String.raw`
const [cli, given, initialize] = process.argv.slice(1)
const { loadApp } = require(cli + '/app/load-app.js')
const { loadTaskModules } = require(cli + '/app/task-modules.js')
const say = (answer) => console.log(JSON.stringify({ answer }))
const main = async () => {
  const app = await loadApp(JSON.parse(given))
  const { dataSource, ...rest } = app
  const initialized = dataSource.isInitialized
  const taskFiles = await loadTaskModules(app)
  const answer = { ...rest, initialized, taskFiles, loadedTwice: (globalThis.loaded ?? []).filter((name, at, all) => all.indexOf(name) < at) }
  if (initialize === 'true') {
    await dataSource.initialize()
    answer.columns = Object.fromEntries(dataSource.entityMetadatas.map((meta) => [meta.name, Object.fromEntries(meta.columns.map((c) => [c.propertyName, dataSource.driver.normalizeType(c)]))]))
    answer.migrations = dataSource.migrations.map((migration) => migration.constructor.name)
    answer.ownFields = Object.keys(new (dataSource.getMetadata('User').target)())
    answer.traceback = globalThis.traceback?.() ?? ''
    await dataSource.destroy()
  }
  say(answer)
}
main().catch((error) => say({ error: { name: error.name, message: error.message, cause: error.cause?.name } }))
`

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
