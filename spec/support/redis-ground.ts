import type { DBTaskResult } from '#entities'
import { columnsOf } from '#row-to-entity'
import { isClusterClient } from '../../backends/bullmq/clients/client-of-app'
import type { Connection } from '../../backends/bullmq/connection'
import { rawOf } from '../../backends/bullmq/job'
import { jobIn } from '../../backends/bullmq/read'
import { partsOf } from '../../backends/bullmq/flows/sets'
import { RedisFlowRows } from '../../backends/bullmq/flows/flow-rows'
import type { FlowRows } from '../../backends/database/dialects/flow-verbs'
import type { Ground } from '../contract/ground'

/** The jobs of one backend, looked at and ended past it. */
export class RedisGround implements Ground {
  readonly #connection: () => Connection

  constructor(connection: () => Connection) {
    this.#connection = connection
  }

  async all(): Promise<DBTaskResult[]> {
    const places = await this.#places()
    const jobs = await Promise.all(
      places.map(({ id, queue }) => jobIn(this.#connection(), queue, id)),
    )
    return jobs.flatMap((job) => (job ? [columnsOf(rawOf(job, 'default'))] : []))
  }

  async clear(): Promise<void> {
    const { client, names } = this.#connection()
    // A cluster answers for one of its nodes alone, so it is the specs' own, as a whole.
    if (isClusterClient(client))
      return void (await Promise.all(client.nodes('master').map((node) => node.flushall())))
    const keys = await client.keys(`${names.prefix}:*`)
    if (keys.length > 0) await client.unlink(...keys)
  }

  async succeed(id: string, returnValue: unknown, finishedAt = new Date()): Promise<void> {
    await this.end(id, 'completed', finishedAt, { returnvalue: JSON.stringify(returnValue) })
  }

  /** Many at once, with no values, of the queue `default`. */
  async succeedAll(ids: readonly string[]): Promise<void> {
    const { client, names } = this.#connection()
    const steps = client.multi()
    for (const id of ids) {
      steps.hset(names.job('default', id), { finishedOn: 1 })
      steps.zadd(names.job('default', 'completed'), 1, id)
    }
    await steps.exec()
  }

  async fail(id: string): Promise<void> {
    const error = JSON.stringify({ exceptionClassPath: 'Error', traceback: 'Error: no' })
    await this.end(id, 'failed', new Date(), { 'tasks:error': error, failedReason: 'no' })
  }

  async rename(id: string, taskName: string): Promise<void> {
    const { client, names } = this.#connection()
    await client.hset(names.job(await this.#queueOf(id), id), { name: taskName })
  }

  async verbs(): Promise<{ readonly rows: FlowRows; readonly hexIds: boolean }> {
    return { rows: new RedisFlowRows(this.#connection(), 'default'), hexIds: false }
  }

  /** Takes a job out of wherever it is. */
  async end(
    id: string,
    state: 'completed' | 'failed',
    finishedAt: Date,
    fields: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { client, names } = this.#connection()
    const at = finishedAt.getTime()
    const queue = await this.#queueOf(id)
    const key = (what: string): string => names.job(queue, what)
    const steps = client.multi()
    for (const list of ['wait', 'active']) steps.lrem(key(list), 0, id)
    for (const set of ['prioritized', 'delayed', 'waiting-children', 'completed', 'failed'])
      steps.zrem(key(set), id)
    steps.hset(key(id), { ...fields, finishedOn: at })
    steps.zadd(key(state), at, id)
    await steps.exec()
  }

  async #queueOf(id: string): Promise<string> {
    const place = (await this.#places()).find((each) => each.id === id)
    if (!place) throw new Error(`There is no job ${id}.`)
    return place.queue
  }

  async #places(): Promise<{ readonly id: string; readonly queue: string }[]> {
    const { client, names } = this.#connection()
    return (await client.zrange(names.ids, 0, -1)).map(partsOf)
  }
}
