import type { ChainableCommander } from 'ioredis'
import type { Connection } from '../connection'
import { type Call, callOn } from '../enqueueing/add-script'
import type { NewJob } from '../enqueueing/new-job'

/** Jobs that Redis adds as one step. */
export class Transaction {
  readonly #steps: ChainableCommander
  /** Which job each step is of that adds one. */
  readonly #jobs = new Map<number, NewJob>()
  #count = 0

  private constructor(steps: ChainableCommander) {
    this.#steps = steps
  }

  /** `calls`: those that it will make, whose commands the client knows by now. */
  static async begin(connection: Connection, calls: Iterable<Call>): Promise<Transaction> {
    await assureScripts(connection, new Set([...calls].map(({ command }) => command)))
    return new Transaction(connection.client.multi())
  }

  step(
    ...[command, ...args]: readonly [
      name: 'zadd' | 'hset' | 'del' | 'unlink' | 'pexpire' | 'persist' | 'eval',
      ...(string | number)[],
    ]
  ): void {
    this.#steps.call(command, ...args)
    this.#count += 1
  }

  add(job: NewJob, call: Call): void {
    this.#jobs.set(this.#count, job)
    this.#count += 1
    // What becomes of it is told by the reply to the whole.
    void callOn(this.#steps, call)
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
async function assureScripts(
  { client, names }: Connection,
  commands: ReadonlySet<string>,
): Promise<void> {
  const all = client.scriptsSet as Record<string, Known>
  const scripts = [...commands].flatMap((command) => all[command] ?? [])
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
