import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DataSource, type DataSourceOptions, type EntityManager } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult, taskEntities } from '#entities'
import { remoteTask } from '#define'
import type { TaskResult } from '#result'
import { configureTasks } from '#configure'
import type { CallOptions } from '#task-options'
import { appOf } from '../../support/temp-app'
import { hasHexIds, isMySqlFamily } from '../../support/databases'
import type { DatabaseName } from '../../support/servers/wanted'
import { databaseNow, installAudit, readChanges, readLedger } from './audit'
import { check } from './check'
import type { Allowed, FinalRow, History, TaskEvent } from './history'
import { until } from './until'
import { WorkerProcess, type WorkerWish } from './worker-process'

const APP = join(__dirname, '../app')

export interface FieldWish {
  /** Options of the app's DataSource that differ from the spec's own, such as the port of a proxy. */
  readonly app?: object
  /** OPTIONS of the backend, beside a lease of 3 seconds. */
  readonly settings?: object
  /** Lists the table of workers. By default on PostgreSQL and MariaDB, so that each fault is met with it and without. */
  readonly hasWorkers?: boolean
}

/** What a scenario does on purpose. */
export interface Expected extends Allowed {
  /** How each worker ends that is still there when all is checked; code 0 unless told. */
  readonly code?: number
}

/**
 * One scenario's own place: a database whose every change is written down, an app with tasks for faults, real workers,
 * and at the end the check of all that happened.
 */
export class Field {
  readonly name: DatabaseName
  readonly root: string
  readonly dataSource: DataSource
  readonly workers: WorkerProcess[] = []
  readonly enqueued: string[] = []
  readonly undone: string[] = []
  readonly #direct: DataSourceOptions
  readonly #others: DataSource[] = []
  readonly #backend: DatabaseBackend

  static async open(
    name: DatabaseName,
    direct: DataSourceOptions,
    {
      app = {},
      settings = {},
      hasWorkers = name === 'postgres' || name === 'mariadb',
    }: FieldWish = {},
  ): Promise<Field> {
    const root = appOf({ 'package.json': '{ "name": "faults" }' }, { 'typeorm-tasks': '..' })
    for (const file of readdirSync(APP)) copyFileSync(join(APP, file), join(root, file))
    writeFileSync(
      join(root, 'fault.json'),
      JSON.stringify({
        direct,
        app: { ...direct, ...app },
        settings: { leaseSeconds: 3, ...settings },
        hasWorkers,
      }),
    )
    // One connection: all others to this database are somebody else's.
    const dataSource = new DataSource({
      ...direct,
      ...onePool(name),
      entities: hasWorkers ? taskEntities : [DBTaskResult],
      synchronize: true,
    } as DataSourceOptions)
    await dataSource.initialize()
    await installAudit(dataSource, name)
    return new Field(name, direct, root, dataSource)
  }

  private constructor(
    name: DatabaseName,
    direct: DataSourceOptions,
    root: string,
    dataSource: DataSource,
  ) {
    this.name = name
    this.root = root
    this.dataSource = dataSource
    this.#direct = direct
    this.#backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
  }

  /** Starts a worker and waits until it is at work. */
  async worker(args: readonly string[] = [], wish: WorkerWish = {}): Promise<WorkerProcess> {
    const worker = this.start(args, wish)
    await worker.says('Starting worker')
    return worker
  }

  /** Starts a worker. */
  start(args: readonly string[] = [], wish: WorkerWish = {}): WorkerProcess {
    const worker = new WorkerProcess(this.root, `w${this.workers.length + 1}`, args, wish)
    this.workers.push(worker)
    return worker
  }

  /** Enqueues a task of the app once for each list of arguments, and gives the ids. */
  async enqueue(
    name: string,
    calls: readonly unknown[][] = [[]],
    using: CallOptions = {},
  ): Promise<string[]> {
    // Settings are global: they are read before the first await, so scenarios side by side do not meet.
    configureTasks({
      default: {
        BACKEND: DatabaseBackend,
        QUEUES: [],
        OPTIONS: { dataSource: using.manager?.connection ?? this.dataSource },
      },
    })
    const results = await remoteTask<unknown[]>(`fault.${name}`)
      .using(using)
      .enqueueMany(calls as unknown[][])
    const ids = results.map(({ id }) => id)
    if (using.manager === undefined) this.enqueued.push(...ids)
    return ids
  }

  /** A further connection, for locks and transactions; it is closed before the check. */
  async another(differently: object = {}): Promise<DataSource> {
    const other = new DataSource({
      ...this.#direct,
      ...differently,
      entities: [DBTaskResult],
    } as DataSourceOptions)
    this.#others.push(other)
    return other.initialize()
  }

  async result(id: string): Promise<TaskResult<unknown>> {
    return this.#backend.getResult(id)
  }

  async row(id: string): Promise<DBTaskResult> {
    return this.dataSource.getRepository(DBTaskResult).findOneByOrFail({ id })
  }

  async rows(): Promise<DBTaskResult[]> {
    return this.dataSource.getRepository(DBTaskResult).find({ order: { id: 'ASC' } })
  }

  /** Resolves when the database answers again. */
  async answers(bound = 30_000): Promise<void> {
    await until(
      () =>
        this.dataSource.query('SELECT 1').then(
          () => true,
          () => false,
        ),
      bound,
      () => 'the database to answer',
    )
  }

  /** The id as the database spells it. */
  key(id: string): string {
    return hasHexIds(this.name) ? id.replaceAll('-', '') : id
  }

  /** Changes a row behind everybody's back. */
  async tamper(id: string, change: Parameters<EntityManager['update']>[2]): Promise<void> {
    await this.dataSource.getRepository(DBTaskResult).update({ id }, change as object)
  }

  get events(): TaskEvent[] {
    const file = join(this.root, 'events')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as TaskEvent)
  }

  /** Waits until so many events of that kind are in the journal. */
  async sees(event: string, times = 1, bound = 20_000): Promise<TaskEvent[]> {
    const seen = (): TaskEvent[] => this.events.filter((each) => each.event === event)
    await until(
      () => seen().length >= times,
      bound,
      () => `${times} × "${event}" in the journal; there are ${seen().length}.\n${this.#logs()}`,
    )
    return seen()
  }

  /** Waits until every row has ended, or just these; gives how many milliseconds that took. */
  async finished(ids?: readonly string[], bound = 20_000): Promise<number> {
    const open = async (): Promise<DBTaskResult[]> =>
      (await this.rows()).filter(
        ({ id, status }) =>
          (ids?.includes(id) ?? true) && !['SUCCESSFUL', 'FAILED'].includes(status),
      )
    return until(
      async () => (await open()).length === 0,
      bound,
      async () =>
        `rows to end; these have not: ${(await open()).map(({ id, status }) => `${id} ${status}`).join(', ')}\n${this.#logs()}`,
    )
  }

  /** Stops what still runs, looks for what it left behind, and holds the whole history against the promises. */
  async verify(expected: Expected = {}): Promise<void> {
    const breaches = await this.breaches(expected)
    if (breaches.length > 0)
      throw new Error(
        `${breaches.join('\n')}\n\n${JSON.stringify(this.events, null, 1)}\n${this.#logs()}`,
      )
  }

  /** The same, and gives each breach as a line. */
  async breaches({ code = 0, ...allowed }: Expected = {}): Promise<string[]> {
    const left = this.workers.filter(({ isOver }) => !isOver)
    const ends = await Promise.all(
      left.map(async (worker) => ({ worker: worker.name, ...(await worker.stop()) })),
    )
    if (ends.some((end) => end.code !== code))
      throw new Error(
        `Workers were to end with ${code}, and ended ${JSON.stringify(ends)}\n${this.#logs()}`,
      )
    await Promise.all(
      this.#others
        .splice(0)
        .filter((other) => other.isInitialized)
        .map((other) => other.destroy()),
    )
    await this.#nothingLeft()
    return [
      ...check(await this.history(), await this.finalRows(), allowed),
      ...this.#indiscretions(),
    ]
  }

  async history(): Promise<History> {
    const { dataSource, name, enqueued, events } = this
    const undone = [
      ...this.undone,
      ...events.filter(({ event }) => event === 'undone').map(({ note = '' }) => note),
    ]
    return {
      enqueued,
      undone,
      events,
      changes: await readChanges(dataSource),
      ledger: await readLedger(dataSource),
      quietAt: await databaseNow(dataSource, name),
    }
  }

  async finalRows(): Promise<FinalRow[]> {
    return (await this.rows()).map((row) => ({
      id: row.id,
      taskName: row.taskPath,
      status: row.status,
      claims: row.claims,
      leaseUntil: row.leaseUntil?.getTime() ?? null,
      attempts: row.workerIds.length,
      errors: (row.attemptErrors ?? []).map(({ exceptionClassPath }) => exceptionClassPath),
      error: row.exceptionClassPath,
      traceback: row.traceback,
      enqueuedAt: row.enqueuedAt.getTime(),
      startedAt: row.startedAt?.getTime() ?? null,
      finishedAt: row.finishedAt?.getTime() ?? null,
      returnValue: row.returnValue,
    }))
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.destroy()))
    await Promise.all(
      [this.dataSource, ...this.#others]
        .filter((each) => each.isInitialized)
        .map((each) => each.destroy()),
    )
  }

  /** I7: no connection, no transaction. */
  async #nothingLeft(): Promise<void> {
    if (this.name === 'sqlite') {
      await this.dataSource.query('BEGIN EXCLUSIVE')
      await this.dataSource.query('ROLLBACK')
      return
    }
    const others =
      this.name === 'postgres'
        ? "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        : 'SELECT id, command, info FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()'
    await until(
      async () => ((await this.dataSource.query(others)) as unknown[]).length === 0,
      10_000,
      async () =>
        `connections to be closed: ${JSON.stringify(await this.dataSource.query(others))}`,
    )
  }

  #indiscretions(): string[] {
    const { password } = this.#direct as { password?: string }
    return this.workers.flatMap(({ name, log }) => [
      ...(password !== undefined && log.includes(password) ? [`${name} told the password`] : []),
      ...(/MaxListenersExceededWarning|UnhandledPromiseRejection|DeprecationWarning/.test(log)
        ? [`${name} was warned by Node`]
        : []),
    ])
  }

  #logs(): string {
    return this.workers.map(({ name, log }) => `--- ${name}\n${log}`).join('\n')
  }
}

function onePool(name: DatabaseName): object {
  return name === 'postgres'
    ? { extra: { max: 1 } }
    : isMySqlFamily(name)
      ? { extra: { connectionLimit: 1 } }
      : {}
}
