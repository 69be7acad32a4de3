import { type BackendSettings, type Problem, TaskBackend } from '../../lib/backend'
import type { Pause, PauseOptions } from '../../lib/browser'
import { InvalidSettingsError } from '../../lib/errors/errors'
import type { KeepResults } from '../../lib/retention'
import { assertPausable, pauseOptionsOf } from '../../lib/settings/pause-options'
import { validateShape } from '../../lib/settings/validation'
import type { Store, StoreOptions } from '../../lib/store'
import { retentionOf } from '../lease-options'
import { checkRedis } from './checks/check'
import { assertOneSlot, isOnCluster, wayOf } from './clients/asked'
import { isAway } from './clients/away'
import { DEFAULT_URL, isLent, troubleOf } from './clients/clients'
import { Idle } from './clients/idle'
import { StaysUp } from './clients/stays-up'
import { Connection, newClient } from './connection'
import { explained } from './errors'
import { BullMQOptions, KEPT_MS } from './options'
import { pause, pausedQueues, resume } from './pauses'
import { millisecondsOf } from './read'
import { BullMQStore } from './store/store'
import { listen } from './store/wakeups'

/** Time in ms that what is asked before a close has to be answered. */
const CLOSE_MS = 3_000

/** What a backend on Redis is apart from its tasks: its settings, its connection, its queues as a whole, and the stores of its workers. */
export abstract class OnRedis extends TaskBackend {
  override readonly whenGone = 'is lost, since its job is gone from Redis'
  override readonly retention: KeepResults | null
  protected readonly options: BullMQOptions
  readonly #prefix: string
  #opened: Connection | undefined
  #staysUp: StaysUp | undefined
  #closing: Promise<unknown> | undefined
  readonly #idle = new Idle(() => void this.close().catch(() => {}))

  constructor(alias: string, settings: BackendSettings) {
    super(alias, settings)
    const path = `TASKS.${alias}.OPTIONS`
    this.options = validateShape(BullMQOptions, settings.options, path)
    const { keepResults = KEPT_MS, prefix = `tasks-${alias}`, connection } = this.options
    this.retention = retentionOf({ retention: keepResults }, path)
    if (connection !== undefined && isOnCluster(wayOf(connection, `${path}.connection`)))
      assertOneSlot(prefix, alias)
    if (this.options.prefix === undefined) assertNoColon(alias)
    assertQueues(settings.queues, alias)
    this.#prefix = prefix
  }

  override async reach(): Promise<void> {
    await this.within(({ client }) => client.ping())
  }

  /** Two on the same keys would run each other's tasks. */
  override join(all: ReadonlyMap<string, TaskBackend>): void {
    for (const [alias, other] of all)
      if (other !== this && other instanceof OnRedis && other.#isAt(this)) throw this.#shares(alias)
  }

  #isAt(other: OnRedis): boolean {
    const where = ({ options: { connection } }: OnRedis): unknown =>
      typeof connection === 'object' ? connection : (connection ?? DEFAULT_URL)
    return this.#prefix === other.#prefix && where(this) === where(other)
  }

  #shares(alias: string): InvalidSettingsError {
    return new InvalidSettingsError(
      `TASKS.${this.alias} and TASKS.${alias} have the same keys in Redis, with the prefix "${this.#prefix}": each would run the tasks of the other.`,
      'Give one of them another OPTIONS.prefix.',
    )
  }

  override async pauseQueue(name: string, options: PauseOptions = {}): Promise<Pause> {
    const checked = pauseOptionsOf(this, name, options)
    return this.within((connection) => pause(connection, name, checked))
  }

  override async resumeQueue(name: string): Promise<boolean> {
    assertPausable(this, name)
    return this.within((connection) => resume(connection, name))
  }

  override async pausedQueues(): Promise<readonly Pause[]> {
    return this.within((connection) => pausedQueues(connection, this.settings.queues))
  }

  /** By the clock of Redis. */
  override async now(): Promise<Date> {
    return this.within(async ({ client }) => new Date(millisecondsOf(await client.time())))
  }

  override async openStore({
    leaseSeconds = this.options.leaseSeconds ?? 30,
    wakeup,
  }: StoreOptions): Promise<Store> {
    const connection = this.#connect(leaseSeconds, true)
    const { client, names } = connection
    await client.ping().catch(async (error: unknown) => {
      await connection.close()
      throw explained(error, client, this.alias)
    })
    const close = wakeup && listen(connection.listener(), names.wakeups, wakeup)
    return new BullMQStore(connection, {
      close,
      pausedQueues: () => pausedQueues(connection, this.settings.queues),
      alias: this.alias,
      queues: this.settings.queues,
      leaseSeconds,
      maxCrashes: this.options.maxCrashes ?? 3,
    })
  }

  override async check(): Promise<Problem[]> {
    const { alias, settings } = this
    return this.within(async (connection) =>
      checkRedis(() => connection, { alias, queues: settings.queues }),
    )
  }

  override isAway(error: unknown): boolean {
    return isAway(error)
  }

  /** Resolves when all is closed that was open, also what an earlier call closes. */
  override async close(): Promise<void> {
    const [opened, staysUp] = [this.#opened, this.#staysUp]
    // Whoever asks from now on opens another one.
    this.#opened = undefined
    if (opened) this.#closing = Promise.all([this.#closing, closed(opened, staysUp)])
    await this.#closing
  }

  override retire(): void {
    this.#idle.retire()
  }

  /** Errors of Redis are explained. @internal Its type would have every app need the types of ioredis. */
  protected async within<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#connected()
    this.#idle.begin()
    try {
      return await (this.#staysUp?.during(() => work(connection)) ?? work(connection))
    } catch (error) {
      throw explained(error, connection.client, this.alias)
    } finally {
      this.#idle.end()
    }
  }

  /** A worker sends many commands in one turn, an app mostly one. */
  #connected(): Connection {
    this.#idle.touch()
    if (this.#opened) return this.#opened
    this.#opened = this.#connect(30, false)
    const { client } = this.#opened
    this.#staysUp = isLent(client) ? undefined : new StaysUp(client)
    return this.#opened
  }

  #connect(leaseSeconds: number, gathers: boolean): Connection {
    const settings = { alias: this.alias, prefix: this.#prefix, leaseMs: leaseSeconds * 1000 }
    return new Connection(newClient(this.options, this.alias, gathers), settings)
  }
}

/** Calls that nobody has awaited are carried out, where Redis answers. */
async function closed(connection: Connection, staysUp: StaysUp | undefined): Promise<void> {
  if (troubleOf(connection.client) === undefined) await staysUp?.ended(CLOSE_MS)
  await connection.close()
}

/** What comes after a colon would be taken for a queue, maybe one of another backend. */
function assertNoColon(alias: string): void {
  if (!alias.includes(':')) return
  throw new InvalidSettingsError(
    `TASKS["${alias}"]: what the keys of this backend begin with is made of the alias, and must have no colon.`,
    'Give it an OPTIONS.prefix, e.g. "shop", or another alias.',
  )
}

/** BullMQ keeps no list of queues, and a worker must know where to look. */
function assertQueues(queues: readonly string[], alias: string): void {
  if (queues.length > 0) return
  throw new InvalidSettingsError(
    `TASKS.${alias}.QUEUES is empty, and the BullMQ backend must know the names of its queues: a worker looks into each of them.`,
    "Name them, e.g. QUEUES: ['default', 'mail'].",
  )
}
