import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { BullMQBackend } from '../../../backends/bullmq'
import type { TaskBackend } from '../../../lib/backend'
import { backends } from '#backend-registry'
import { configureTasks } from '#configure'
import { remoteTask } from '#define'
import type { TaskResult } from '#result'
import { isTrue } from '../../support/global-setup'
import { appOf } from '../../support/temp-app'
import { findRedis, redisHint } from '../../support/servers/redis'
import { until } from './until'
import { WorkerProcess, type WorkerWish } from './worker-process'

const APP = join(__dirname, '../redis-app')
const PREFIX = '{faults}'
const QUEUE = `${PREFIX}:default`

/** A line of the journal that the tasks of the app write. */
export interface RedisEvent {
  readonly event: 'start' | 'end' | 'abort'
  readonly id: string
  readonly pid: number
  readonly at: number
  /** No other run has it. */
  readonly run: string
  readonly attempt?: number
  readonly note?: string
}

/** Runs the specs in `body` where there is a Redis; under CI a missing one is a failure. */
export function describeWithRedis(title: string, body: () => void): void {
  if (findRedis() !== undefined) return describe(title, body)
  if (isTrue(process.env['CI'])) throw new Error(`Under CI Redis must be there. ${redisHint}`)
  describe.skip(title, body)
}

/** One scenario's own place on a Redis of its own: an app with tasks for faults, real workers, and what they did. */
export class RedisField {
  readonly root: string
  readonly workers: WorkerProcess[] = []
  readonly enqueued: string[] = []
  readonly backend: TaskBackend
  readonly #url: () => string

  /** `url`: of the server that has the keys at present. */
  static async open(
    connection: string | object,
    url: () => string,
    settings: object = {},
  ): Promise<RedisField> {
    const redis = new Redis(url())
    // BullMQ would keep 10,000 events.
    await redis.hset(`${QUEUE}:meta`, 'opts.maxLenEvents', 1_000_000)
    redis.disconnect()
    return new RedisField(connection, url, settings)
  }

  private constructor(connection: string | object, url: () => string, settings: object) {
    const options = { connection, prefix: PREFIX, leaseSeconds: 3, ...settings }
    this.#url = url
    this.root = appOf(
      { 'package.json': '{ "name": "faults" }' },
      { 'typeorm-tasks': '..', 'better-sqlite3': 'better-sqlite3' },
    )
    for (const file of readdirSync(APP)) copyFileSync(join(APP, file), join(this.root, file))
    writeFileSync(join(this.root, 'fault.json'), JSON.stringify({ options }))
    configureTasks({ default: { BACKEND: BullMQBackend, QUEUES: ['default'], OPTIONS: options } })
    this.backend = backends.get('default')
  }

  /** Starts a worker and waits until it is at work. */
  async worker(args: readonly string[] = [], wish: WorkerWish = {}): Promise<WorkerProcess> {
    const worker = new WorkerProcess(this.root, `w${this.workers.length + 1}`, args, wish)
    this.workers.push(worker)
    await worker.says('Starting worker')
    return worker
  }

  /** Enqueues a task once for each list of arguments; rejects where Redis is away. */
  async enqueue(name: string, calls: readonly unknown[][] = [[]]): Promise<string[]> {
    const results = await remoteTask<unknown[]>(`fault.${name}`).enqueueMany(calls as unknown[][])
    const ids = results.map(({ id }) => id)
    this.enqueued.push(...ids)
    return ids
  }

  get events(): RedisEvent[] {
    const file = join(this.root, 'events')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RedisEvent)
  }

  async sees(event: RedisEvent['event'], times = 1, bound = 20_000): Promise<RedisEvent[]> {
    const seen = (): RedisEvent[] => this.events.filter((each) => each.event === event)
    await until(
      () => seen().length >= times,
      bound,
      () => `${times} × "${event}"; there are ${seen().length}.\n${this.logs}`,
    )
    return seen()
  }

  /** The tasks that there still are, by id. */
  async results(ids: readonly string[] = this.enqueued): Promise<Map<string, TaskResult<unknown>>> {
    const found = await Promise.allSettled(ids.map((id) => this.backend.getResult(id)))
    const known = found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    return new Map(known.map((result) => [result.id, result]))
  }

  /** Waits until all of these that there are have ended. */
  async finished(
    bound = 40_000,
    ids: readonly string[] = this.enqueued,
  ): Promise<Map<string, TaskResult<unknown>>> {
    let results = new Map<string, TaskResult<unknown>>()
    const open = (): TaskResult<unknown>[] =>
      [...results.values()].filter(({ isFinished }) => !isFinished)
    await until(
      async () => {
        results = await this.results(ids)
        return open().length === 0
      },
      bound,
      () =>
        `tasks to end; these have not: ${open()
          .map(({ id, status }) => `${id} ${status}`)
          .join(', ')}\n${this.logs}`,
    )
    return results
  }

  /** Ids by how often Redis has recorded their end, as BullMQ's own stream of events tells. */
  async recorded(): Promise<Map<string, number>> {
    const redis = new Redis(this.#url())
    try {
      const entries = await redis.xrange(`${QUEUE}:events`, '-', '+')
      const ends = new Map<string, number>()
      for (const [, fields] of entries) {
        const told = new Map(fields.map((name, at) => [name, fields[at + 1] ?? '']))
        const id = told.get('jobId')
        if (id === undefined || !['completed', 'failed'].includes(told.get('event') ?? '')) continue
        ends.set(id, (ends.get(id) ?? 0) + 1)
      }
      return ends
    } finally {
      redis.disconnect()
    }
  }

  /**
   * What is not as promised, a line each: a task that has not ended, or whose end was recorded twice; a result that is not of
   * one of its runs; a task that ran more often than its lost workers explain.
   */
  async breaches(): Promise<string[]> {
    const [results, recorded, events] = [await this.results(), await this.recorded(), this.events]
    const ended = new Map(events.filter(({ event }) => event === 'end').map((e) => [e.run, e.id]))
    return [...results.values()].flatMap((result) => {
      const { id, status } = result
      const times = recorded.get(id) ?? 0
      const starts = events.filter((each) => each.event === 'start' && each.id === id).length
      const lost = result.errors.filter(({ exceptionClassPath }) =>
        exceptionClassPath.endsWith('WorkerLost'),
      ).length
      return [
        ...(result.isFinished ? [] : [`${id} has not ended: ${status}`]),
        ...(times !== 1 ? [`${id} was recorded ${times} times`] : []),
        ...(status === 'SUCCESSFUL' && ended.get(String(result.returnValue)) !== id
          ? [`${id} has the result of no run of its own: ${String(result.returnValue)}`]
          : []),
        ...(starts > lost + 1 ? [`${id} started ${starts} times, with ${lost} lost workers`] : []),
      ]
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.destroy()))
    await this.backend.close()
  }

  get logs(): string {
    return this.workers.map(({ name, log }) => `--- ${name}\n${log.slice(-4_000)}`).join('\n')
  }
}
