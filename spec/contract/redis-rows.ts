import type { Redis } from 'ioredis'
import type { DBTaskResult } from '#entities'
import { instantOf, isParked, NO_DELAY, utcText } from '#formats'
import { type Columns, columnsOf, rawOf as rawOfEntity } from '#row-to-entity'
import { isClusterClient } from '../../backends/bullmq/clients/client-of-app'
import { Connection, newClient } from '../../backends/bullmq/connection'
import { dataOf, FIELD, type JobState, rawOf } from '../../backends/bullmq/job'
import { bullPriority } from '../../backends/bullmq/names'
import { jobById, jobIn } from '../../backends/bullmq/read'
import type { Connection as ConnectionOption } from '../../backends/bullmq/options'
import { readyRow } from '../support/row-values'
import type { RawColumns, Rows } from './rows'

type Raw = ReturnType<typeof rawOfEntity>

const STATES: Readonly<Record<string, JobState | 'none'>> = {
  READY: 'waiting',
  RUNNING: 'active',
  SUCCESSFUL: 'completed',
  FAILED: 'failed',
}
const COLLECTIONS = ['wait', 'active'] as const
const SORTED = ['delayed', 'prioritized', 'waiting-children', 'completed', 'failed'] as const
/** A lock of somebody else, which never ends: as of a row that another program runs. */
const FOREIGN = 'somebody else'

/** The jobs of backends on one Redis, whose prefixes are `<prefix>-<alias>`, as rows. */
export class RedisRows implements Rows {
  readonly #connect: (alias: string) => Connection
  readonly #connections = new Map<string, Connection>()
  readonly #queues: readonly string[]
  /** Where each job is: its alias. */
  readonly #aliases = new Map<string, string>()
  #counter = 0

  constructor(connection: ConnectionOption, prefix: string, queues: readonly string[]) {
    this.#connect = (alias) =>
      new Connection(newClient({ connection }, alias), {
        alias,
        prefix: `${prefix}-${alias}`,
        leaseMs: 30_000,
      })
    this.#queues = queues
  }

  async clear(): Promise<void> {
    for (const { client, names } of this.#connections.values()) {
      // On a cluster the keys are on one node, and the others have none.
      const nodes = isClusterClient(client) ? client.nodes('master') : [client]
      await Promise.all(nodes.map((node) => unlinkAll(node, `${names.prefix}:*`)))
    }
    this.#aliases.clear()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((each) => each.close()))
  }

  async add(...rows: Partial<DBTaskResult>[]): Promise<string[]> {
    const whole = rows.map(readyRow)
    // BullMQ takes jobs in the order in which they were added.
    const inOrder = whole.toSorted((a, b) => a.enqueuedAt.getTime() - b.enqueuedAt.getTime())
    for (const row of inOrder) await this.#write(rawOfEntity(row, false))
    return whole.map(({ id }) => id)
  }

  async addMany(count: number): Promise<string[]> {
    return this.add(...Array.from({ length: count }, () => ({})))
  }

  async count(): Promise<number> {
    const found = await Promise.all([...this.#aliases].map(([id, alias]) => this.#find(id, alias)))
    return found.filter((job) => job !== undefined).length
  }

  async get(id: string): Promise<DBTaskResult> {
    return columnsOf(await this.#raw(id))
  }

  async update(id: string, change: Partial<DBTaskResult>): Promise<void> {
    const before: Columns = columnsOf(await this.#raw(id))
    await this.#write(rawOfEntity({ ...before, ...change }, false))
  }

  async expire(id: string): Promise<void> {
    const { connection, queue } = await this.#place(id)
    await connection.client.del(`${connection.names.job(queue, id)}:lock`)
  }

  async tamper(id: string, columns: RawColumns): Promise<void> {
    const raw = await this.#raw(id)
    const texts = Object.entries(columns).map(([name, value]) => [
      name,
      value === null || name === 'priority' ? value : String(value),
    ])
    await this.#remove(id)
    const { id: key = id, ...others } = Object.fromEntries(texts) as Record<string, string>
    await this.#write({ ...raw, ...others, row_key: key } as unknown as Raw)
  }

  key(id: string): string {
    return id
  }

  instant(date: Date): string {
    return utcText(date)
  }

  #of(alias: string): Connection {
    const known = this.#connections.get(alias) ?? this.#connect(alias)
    this.#connections.set(alias, known)
    return known
  }

  async #find(id: string, alias: string): ReturnType<typeof jobById> {
    return jobById(this.#of(alias), this.#queues, id)
  }

  async #place(id: string): Promise<{ connection: Connection; queue: string }> {
    const alias = this.#aliases.get(id) ?? 'default'
    const job = await this.#find(id, alias)
    if (!job) throw new Error(`There is no job ${id}.`)
    return { connection: this.#of(alias), queue: job.queue }
  }

  async #raw(id: string): Promise<Raw> {
    const { connection, queue } = await this.#place(id)
    const job = await jobIn(connection, queue, id)
    if (!job) throw new Error(`There is no job ${id}.`)
    const ends = await connection.client.pexpiretime(`${connection.names.job(queue, id)}:lock`)
    // No lock: it has run out. A lock without an end is that of another program.
    const leaseUntil =
      ends === -1
        ? null
        : utcText(new Date(ends > 0 ? ends : 1000 * Math.round(Date.now() / 1000 - 60)))
    const alias = this.#aliases.get(id) ?? 'default'
    const {
      v: _v,
      options: _o,
      ...call
    } = JSON.parse(job.fields['data'] ?? '{}') as Record<string, unknown>
    return {
      ...rawOf(job, alias),
      args_kwargs: JSON.stringify(call),
      lease_until: job.state === 'active' ? leaseUntil : null,
    }
  }

  async #remove(id: string): Promise<void> {
    const { connection, queue } = await this.#place(id)
    const key = connection.names.job(queue, id)
    const { client } = connection
    for (const list of COLLECTIONS) await client.lrem(connection.names.job(queue, list), 0, id)
    for (const set of SORTED) await client.zrem(connection.names.job(queue, set), id)
    await client.zrem(connection.names.ids, `${id}:${queue}`)
    await client.del(key, `${key}:lock`)
  }

  async #write(raw: Raw): Promise<void> {
    const id = raw.row_key
    const alias = raw.backend_name ?? 'default'
    const connection = this.#of(alias)
    const { client, names } = connection
    const there = await this.#find(id, alias)
    const lock = there && (await client.get(`${names.job(there.queue, id)}:lock`))
    const ttl = there ? await client.pttl(`${names.job(there.queue, id)}:lock`) : -2
    if (there) await this.#remove(id)
    this.#aliases.set(id, alias)
    const queue = names.queueFor(raw.queue_name ?? '', Number(raw.priority))
    await client.hset(names.job(queue, id), fieldsOf(raw))
    await client.zadd(names.ids, 0, `${id}:${queue}`)
    await this.#collect(connection, queue, raw)
    if (raw.status !== 'RUNNING') return
    const lockKey = `${names.job(queue, id)}:lock`
    const isNew = there?.state !== 'active'
    const value = isNew ? FOREIGN : lock
    if (value === null || value === undefined) return
    const own = raw.cancel_requested_at === null ? value : `${value.replace(/!$/, '')}!`
    if (ttl > 0 && !isNew) await client.set(lockKey, own, 'PX', ttl)
    else await client.set(lockKey, own)
  }

  async #collect({ client, names }: Connection, queue: string, raw: Raw): Promise<void> {
    const id = raw.row_key
    const to = (what: string): string => names.job(queue, what)
    const state = STATES[raw.status] ?? 'none'
    const finished = Number(fieldsOf(raw)['finishedOn'] ?? Number.POSITIVE_INFINITY)
    const score = Number.isFinite(finished) ? finished : '+inf'
    if (state === 'completed' || state === 'failed') await client.zadd(to(state), score, id)
    if (state === 'active') await client.lpush(to('active'), id)
    if (state !== 'waiting') return
    const due = dueOf(raw)
    this.#counter += 1
    if (isParked(raw.run_after)) await client.zadd(to('waiting-children'), Date.now(), id)
    else if (due !== undefined) await client.zadd(to('delayed'), due * 0x1000, id)
    else if (Number(raw.priority) === 0) await client.lpush(to('wait'), id)
    else
      await client.zadd(
        to('prioritized'),
        bullPriority(Number(raw.priority)) * 0x100000000 + this.#counter,
        id,
      )
  }
}

async function unlinkAll(node: Redis, match: string): Promise<void> {
  for await (const keys of node.scanStream({ match, count: 1000 }))
    if (Array.isArray(keys) && keys.length > 0) await node.unlink(...keys.map(String))
}

function dueOf({ run_after: runAfter }: Raw): number | undefined {
  const at = runAfter === null || runAfter === utcText(NO_DELAY) ? undefined : instantOf(runAfter)
  return at?.getTime()
}

function ms(text: string | number | null): string | undefined {
  if (text === null) return undefined
  return String(instantOf(String(text))?.getTime() ?? text)
}

/** The hash of a job that the row is read from again. */
function fieldsOf(raw: Raw): Record<string, string> {
  const due = dueOf(raw)
  const fields = {
    name: raw.task_path ?? '',
    data: dataIn(raw),
    opts: '{}',
    timestamp: ms(raw.enqueued_at) ?? '0',
    delay: '0',
    priority: String(bullPriority(Number(raw.priority))),
    ats: String(raw.claims ?? 0),
    processedOn: ms(raw.started_at),
    finishedOn:
      raw.status === 'SUCCESSFUL' || raw.status === 'FAILED' ? ms(raw.finished_at) : undefined,
    returnvalue: raw.return_value ?? undefined,
    progress: raw.progress ?? undefined,
    deid: raw.unique_key ?? undefined,
    [FIELD.errors]: raw.attempt_errors ?? undefined,
    [FIELD.due]: due === undefined ? undefined : String(due),
    [FIELD.cancel]: ms(raw.cancel_requested_at),
    [FIELD.error]:
      raw.status === 'FAILED'
        ? JSON.stringify({
            exceptionClassPath: raw.exception_class_path,
            traceback: raw.traceback,
          })
        : undefined,
    ...workersIn(raw),
  }
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  )
}

/** A claim that runs is told by BullMQ's own field. */
function workersIn(raw: Raw): Record<string, string | undefined> {
  const claims = Number(raw.claims ?? 0)
  if (raw.status !== 'RUNNING')
    return { [FIELD.workers]: raw.worker_ids ?? undefined, [FIELD.until]: String(claims) }
  const workers = JSON.parse(raw.worker_ids ?? '[]') as string[]
  return {
    [FIELD.workers]: JSON.stringify(workers.slice(0, -1)),
    [FIELD.until]: String(claims - 1),
    processedOn: ms(raw.started_at) ?? '0',
    pb: workers.at(-1) ?? '',
  }
}

/** What is no object has no room for the envelope: then the job is another program's. */
function dataIn({ args_kwargs: text, options }: Raw): string {
  return text?.startsWith('{"') ? dataOf(text, options) : (text ?? '')
}
