import type { ChainableCommander } from 'ioredis'
import type { Connection } from '../connection'
import type { NewJob } from '../enqueueing/new-job'

/** Scripts of BullMQ that add a job. */
const ADDING = /^add(?:Standard|Prioritized|Delayed|Parent)Job:/

/** Jobs that Redis adds as one step. */
export class Transaction {
  readonly #connection: Connection
  readonly #steps: ChainableCommander
  /** Which job each step is of that adds one. */
  readonly #jobs = new Map<number, NewJob>()
  #count = 0

  private constructor(connection: Connection) {
    this.#connection = connection
    this.#steps = connection.client.multi()
  }

  /** `queue`: BullMQ's name of any of the queues. */
  static async begin(connection: Connection, queue: string): Promise<Transaction> {
    // BullMQ defines its scripts once it has a client, and a transaction has those that are defined by then.
    await connection.queue(queue).waitUntilReady()
    await assureScripts(connection)
    return new Transaction(connection)
  }

  step(
    ...[command, ...args]: readonly [name: 'zadd' | 'hset' | 'del', ...(string | number)[]]
  ): void {
    this.#steps.call(command, ...args)
    this.#count += 1
  }

  /** `isParked`: the job waits until it is made due. */
  add(job: NewJob, isParked: boolean): void {
    const { queue, json, id } = job
    const commands = this.#steps as unknown as Record<string, (args: unknown[]) => unknown>
    const runCommand = (name: string, args: unknown[]): unknown => commands[name]?.(args)
    this.#jobs.set(this.#count, job)
    this.#count += 1
    // What becomes of it is told by the reply to the whole.
    void this.#connection
      .queue(queue)
      .addJobToTransaction({ runCommand } as never, json as never, id, {
        addToWaitingChildren: isParked,
      } as never)
  }

  /**
   * Resolves to the jobs that Redis could not add, since it has forgotten a script in this very moment.
   *
   * @throws what Redis says of the first step that it has refused for another reason.
   */
  async commit(): Promise<readonly NewJob[]> {
    const forgotten: NewJob[] = []
    for (const [i, [error]] of ((await this.#steps.exec()) ?? []).entries()) {
      if (error === null) continue
      const job = this.#jobs.get(i)
      if (!job || !error.message.startsWith('NOSCRIPT')) throw error
      forgotten.push(job)
    }
    return forgotten
  }
}

/**
 * A script that Redis has forgotten is sent again by ioredis, but not within a transaction, of which Redis would carry out the
 * other steps.
 */
async function assureScripts({ client, names }: Connection): Promise<void> {
  const scripts = Object.entries(client.scriptsSet as Record<string, Known>)
    .filter(([name]) => ADDING.test(name))
    .map(([, script]) => script)
  // On a cluster the key says which node to ask.
  const asking = client.pipeline().exists(names.ids)
  const replies = await asking.script('EXISTS', ...scripts.map(({ sha }) => sha)).exec()
  const known = (replies?.[1]?.[1] ?? []) as number[]
  const missing = scripts.filter((_, i) => known[i] !== 1)
  if (missing.length === 0) return
  const loading = client.pipeline().exists(names.ids)
  for (const { lua } of missing) loading.script('LOAD', lua)
  await loading.exec()
}

/** A script as ioredis keeps it. */
interface Known {
  readonly sha: string
  readonly lua: string
}
