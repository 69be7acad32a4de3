import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult, taskEntities } from '#entities'
import { remoteTask } from '#define'
import { configureTasks } from '#configure'
import { typeormEnv } from './typeorm'
import { appOf } from './temp-app'

const BIN = join(__dirname, '../../dist/cli/index.js')

/** Plain tasks for most specs; `app.sleep` takes milliseconds. */
export const TASKS_FILE = `
  const { task } = require('typeorm-tasks')
  task('app.add', async (a, b = 0) => a + b)
  task('app.greet', async (name, { greeting }) => greeting + ', ' + name)
  task('app.fail', async () => { throw new TypeError('broken') })
  task('app.sleep', async (ms) => { await new Promise((wake) => setTimeout(wake, ms)); return ms })
  task('mail.send', async () => 'sent', { queueName: 'mail', priority: 5 })`

/** What one call of the command line came to. */
export interface Told {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A stranger's app in a folder of its own, with its table in place, and a look at the rows. */
export interface CliApp {
  readonly root: string
  readonly dataSource: DataSource
  /** Runs `tasks …` to its end. */
  tasks(...args: string[]): Promise<Told>
  /** Starts `tasks …`. */
  start(...args: string[]): Running
  write(file: string, text: string): void
  remove(file: string): void
  /** Enqueues a task once for each list of arguments, and gives the ids. */
  enqueue(
    name: string,
    calls?: unknown[][],
    options?: { queueName?: string; backend?: string; runAfter?: Date },
  ): Promise<string[]>
  rows(): Promise<DBTaskResult[]>
  row(id: string): Promise<DBTaskResult>
}

export interface AppWish {
  /** A fresh SQLite file unless told. */
  readonly database?: DataSourceOptions
  /** Further files, or others in the place of `tasks.js` and `ormconfig.js`. */
  readonly files?: Record<string, string>
  /** Text of the exported TASKS; '' for none. */
  readonly tasks?: string
  /** Lists the optional tables, too. Default false. */
  readonly allTables?: boolean
}

export const DATABASE_TASKS = `{ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [] } }`

export async function cliApp({
  database,
  files = {},
  tasks = DATABASE_TASKS,
  allTables = false,
}: AppWish = {}): Promise<CliApp> {
  const root = appOf({ 'tasks.js': TASKS_FILE, ...files }, { 'typeorm-tasks': '..' })
  const options = database ?? {
    type: 'better-sqlite3',
    database: join(root, 'app.sqlite'),
    enableWAL: true,
  }
  const write = (file: string, text: string): void => writeFileSync(join(root, file), text)
  if (!files['ormconfig.js']) write('ormconfig.js', ormconfig(options, tasks, allTables))
  const dataSource = await new DataSource({
    ...options,
    entities: allTables ? taskEntities : [DBTaskResult],
    synchronize: true,
  } as DataSourceOptions).initialize()
  opened.push(dataSource)
  return {
    root,
    dataSource,
    write,
    remove: (file) => rmSync(join(root, file)),
    tasks: (...args) => tasksIn(root, ...args),
    start: (...args) => new Running(root, args),
    enqueue: (name, calls = [[]], wish = {}) => enqueue(dataSource, name, calls, wish),
    rows: () => dataSource.getRepository(DBTaskResult).find({ order: { id: 'ASC' } }),
    row: (id) => dataSource.getRepository(DBTaskResult).findOneByOrFail({ id }),
  }
}

export function ormconfig(
  options: DataSourceOptions,
  tasks = DATABASE_TASKS,
  allTables = false,
): string {
  return `
    const { DataSource } = require('typeorm')
    const { DBTaskResult, taskEntities } = require('typeorm-tasks')
    exports.dataSource = new DataSource({ ...${JSON.stringify(options)}, entities: ${allTables ? 'taskEntities' : '[DBTaskResult]'} })
    ${tasks === '' ? '' : `exports.TASKS = ${tasks}`}`
}

/** A program of Node that runs; whatever is left of them is ended after the spec file. */
export class Program {
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** The process and all that it started are gone. */
  readonly closed: Promise<unknown>
  log = ''
  readonly #child: ChildProcess

  constructor(cwd: string, file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [file, ...args], {
      cwd,
      env: { ...typeormEnv(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.exited = once(this.#child, 'exit').then(([code, signal]) => ({ code, signal }))
    this.closed = once(this.#child, 'close')
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream!.on('data', (text: Buffer) => (this.log += text.toString()))
    running.push(this)
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves once the log holds the text so many times. */
  async says(text: string | RegExp, times = 1): Promise<void> {
    const pattern = new RegExp(
      typeof text === 'string' ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : text,
      'g',
    )
    await until(
      () => (this.log.match(pattern)?.length ?? 0) >= times,
      () => `"${String(text)}" in:\n${this.log}`,
    )
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}

/** A `tasks …` that runs. */
export class Running extends Program {
  constructor(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    super(cwd, BIN, args, env)
  }
}

/** Waits for something that another process does. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: () => string,
  withinMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what()}`)
    await sleep(20)
  }
}

const opened: DataSource[] = []
const running: Program[] = []

afterAll(async () => {
  const left = running.filter((each) => !each.isOver)
  for (const each of left) each.kill('SIGKILL')
  await Promise.all(left.map((each) => each.exited))
  await Promise.all(opened.map((dataSource) => dataSource.destroy()))
})

/** Runs `tasks …` in a folder, to its end. */
export function tasksIn(cwd: string, ...args: string[]): Promise<Told> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [BIN, ...args],
      { cwd, env: typeormEnv() },
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    )
  })
}

async function enqueue(
  dataSource: DataSource,
  name: string,
  calls: unknown[][],
  {
    queueName = 'default',
    backend = 'default',
    runAfter,
  }: { queueName?: string; backend?: string; runAfter?: Date },
): Promise<string[]> {
  configureTasks({ [backend]: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  const results = await remoteTask<unknown[]>(name, { queueName, backend })
    .using({ runAfter: runAfter ?? null })
    .enqueueMany(calls)
  return results.map(({ id }) => id)
}
