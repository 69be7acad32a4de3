import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { FreshOptions } from '../../support/databases'
import { djangoFolder } from './django-folder'

const PYTHON = '/usr/bin/python3'
const MANAGE = join(__dirname, 'site/manage.py')

/** A task to enqueue with Django; only `task` is required. */
export interface DjangoCall {
  readonly task: string
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly priority?: number
  readonly queue_name?: string
  readonly delay_seconds?: number
}

/** A TaskResult of Django. What raises when it is read is `{ raises: 'Class: message' }`. Instants have six decimals. */
export interface DjangoResult {
  readonly id: string
  readonly task: string
  readonly status: string
  readonly is_finished: boolean
  readonly args: unknown[]
  readonly kwargs: Record<string, unknown>
  readonly priority: number
  readonly queue_name: string
  readonly backend: string
  readonly worker_ids: string[]
  readonly attempts: number
  readonly enqueued_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly last_attempted_at: string | null
  readonly run_after: string | null
  readonly return_value: unknown
  readonly errors: { exception_class_path: string; exception_class: unknown; traceback: string }[]
}

export interface AdminPage {
  readonly page: string
  readonly status: number
  readonly html: string
}

/** Django on one database: one process that answers requests, and others for its workers. */
export class Django {
  readonly #env: NodeJS.ProcessEnv
  readonly #children: ChildProcessWithoutNullStreams[] = []
  #answers: AsyncIterator<string> | undefined
  #answering: DjangoProcess | undefined

  constructor(database: FreshOptions, runLog: string) {
    const plugins = join(djangoFolder, 'libraries/libmariadb3/plugin')
    this.#env = {
      ...process.env,
      PYTHONPATH: join(djangoFolder, 'packages'),
      PYTHONPYCACHEPREFIX: join(djangoFolder, 'bytecode'),
      PYTHONIOENCODING: 'utf-8',
      LD_LIBRARY_PATH: join(djangoFolder, 'libraries'),
      // The client library looks for its plugins where it would be installed; MySQL's usual login is one of them.
      ...(existsSync(plugins) ? { MARIADB_PLUGIN_DIR: plugins } : {}),
      SHARED_DATABASE: JSON.stringify(djangoDatabase(database)),
      SHARED_RUN_LOG: runLog,
    }
  }

  /** Runs `manage.py …` to its end, which must be a success, and gives what it printed. */
  async manage(...args: string[]): Promise<string> {
    const running = this.start(...args)
    const code = await running.exited
    if (code !== 0)
      throw new Error(`manage.py ${args.join(' ')} ended with ${code}:\n${running.log}`)
    return running.log
  }

  /** Starts `manage.py …`. */
  start(...args: string[]): DjangoProcess {
    const child = spawn(PYTHON, [MANAGE, ...args], { env: this.#env })
    this.#children.push(child)
    return new DjangoProcess(child)
  }

  /** Runs Django's worker until nothing is ready. */
  async runBatch(...args: string[]): Promise<string> {
    return await this.manage('db_worker', '--batch', '--no-startup-delay', ...args)
  }

  /** Enqueues with Django and gives the ids. */
  async enqueue(...calls: DjangoCall[]): Promise<string[]> {
    return await this.#ask('enqueue', calls)
  }

  /** What Django's `get_result` gives. */
  async get(...ids: string[]): Promise<DjangoResult[]> {
    return await this.#ask('get', ids)
  }

  /** The results that `enqueue` made in Django, after their `refresh()`. */
  async refresh(...ids: string[]): Promise<DjangoResult[]> {
    return await this.#ask('refresh', ids)
  }

  /** The admin's list page, then the detail page of each id. */
  async admin(...ids: string[]): Promise<AdminPage[]> {
    return await this.#ask('admin', ids)
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    const left = this.#children.filter(
      (child) => child.exitCode === null && child.signalCode === null,
    )
    for (const child of left) child.kill('SIGKILL')
    await Promise.all(left.map((child) => once(child, 'exit')))
  }

  async #ask<Answer>(name: string, args: readonly unknown[]): Promise<Answer[]> {
    this.#answering ??= this.start('answer')
    this.#answers ??= createInterface(this.#answering.child.stdout)[Symbol.asyncIterator]()
    this.#answering.child.stdin.write(`${JSON.stringify([name, ...args])}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`Django does not answer:\n${this.#answering.log}`)
    const { answer, error } = JSON.parse(String(value)) as { answer?: Answer[]; error?: string }
    if (answer === undefined) throw new Error(`Django could not do "${name}":\n${error}`)
    return answer
  }
}

/** A process of Django; its log is all that it printed. */
export class DjangoProcess {
  readonly exited: Promise<number | null>
  log = ''

  constructor(readonly child: ChildProcessWithoutNullStreams) {
    this.exited = once(child, 'close').then(([code]) => code as number | null)
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.log += text))
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }
}

/** The entry of Django's DATABASES for a database of the specs. */
function djangoDatabase(options: FreshOptions): object {
  if (options.type === 'better-sqlite3')
    return {
      ENGINE: 'django.db.backends.sqlite3',
      NAME: options.database,
      OPTIONS: { timeout: 30 },
    }
  const { host, port, username, password, database } = options
  const address = {
    HOST: host,
    PORT: String(port),
    USER: username,
    PASSWORD: password,
    NAME: database,
  }
  if (options.type === 'postgres') return { ENGINE: 'django.db.backends.postgresql', ...address }
  return { ENGINE: 'django.db.backends.mysql', ...address, OPTIONS: { charset: 'utf8mb4' } }
}
