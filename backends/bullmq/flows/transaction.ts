import type { ChainableCommander } from 'ioredis'
import type { Connection } from '../connection'
import type { NewJob } from '../enqueueing/new-job'

/** Scripts of BullMQ that add a job. */
const ADDING = /^add(?:Standard|Prioritized|Delayed|Parent)Job:/

/** Jobs that Redis adds as one step. */
export class Transaction {
  readonly steps: ChainableCommander
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
    this.steps = connection.client.multi()
  }

  /** `queue`: BullMQ's name of any of the queues. */
  static async begin(connection: Connection, queue: string): Promise<Transaction> {
    // BullMQ defines its scripts once it has asked Redis for its version, and a transaction has those that are defined by then.
    await connection.queue(queue).waitUntilReady()
    await assureScripts(connection)
    return new Transaction(connection)
  }

  /** `isParked`: the job waits until it is made due. */
  add(queue: string, job: NewJob['json'], isParked: boolean): void {
    const commands = this.steps as unknown as Record<string, (args: unknown[]) => unknown>
    const runCommand = (name: string, args: unknown[]): unknown => commands[name]?.(args)
    // What becomes of it is told by the reply to the whole.
    void this.#connection
      .queue(queue)
      .addJobToTransaction({ runCommand } as never, job as never, job.id, {
        addToWaitingChildren: isParked,
      } as never)
  }

  /** @throws what Redis says of the first step that it has refused. */
  async commit(): Promise<void> {
    const replies = await this.steps.exec()
    const refused = replies?.find(([error]) => error !== null)
    if (refused?.[0]) throw refused[0]
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
