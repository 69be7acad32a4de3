import type { Awaited, SetLinks } from '../../../lib/row/flow-parts'
import { wholeOptions } from '../../keys'
import { assertNoneFailed } from '../../database/flows/none-failed'
import { partOf, Settling } from '../../database/flows/settling'
import type { Connection } from '../connection'
import { FIELD, type Job } from '../job'
import { Script } from '../script'
import { RedisFlowRows } from './flow-rows'
import { LUA_MEMBER, placeOf } from './sets'

const REJOIN = new Script<void>(
  'flowRejoin',
  `${LUA_MEMBER}
move(string.sub(KEYS[1], 1, -6), ARGV[1], ARGV[2], 'open')`,
)

/** What is asked of a job of a flow in place of its worker. */
export class StepByHand {
  readonly #connection: Connection
  readonly #alias: string
  readonly #job: Job
  readonly #rows: RedisFlowRows
  readonly #awaits: Awaited | undefined
  readonly #member: SetLinks | undefined

  constructor(connection: Connection, alias: string, job: Job) {
    this.#connection = connection
    this.#alias = alias
    this.#job = job
    this.#rows = new RedisFlowRows(connection, alias)
    const { [FIELD.flow]: flow = null, [FIELD.member]: member = null } = job.fields
    const { awaits, member: links } = partOf(wholeOptions(flow, member))
    this.#awaits = awaits
    this.#member = links
  }

  /** Whether it waits for others again once it is retried; it is then put among `waiting-children`. */
  get isStep(): boolean {
    return this.#awaits !== undefined
  }

  /** @throws NotSupportedError if it waits for the success of one that is FAILED: nothing may be changed then. */
  async assertMayWait(): Promise<void> {
    const { id, fields } = this.#job
    if (this.#awaits?.when === 'successful')
      await assertNoneFailed(
        { row_key: id, task_path: fields['name'] ?? '' },
        this.#awaits,
        this.#rows,
      )
  }

  /** After a retry: it runs once what it waits for has ended so, and what waits for it is told that it has not finished. */
  async retried(): Promise<void> {
    const { id, queue, fields } = this.#job
    const { client, names } = this.#connection
    const member = fields[FIELD.member]
    if (member !== undefined) await REJOIN.run(client, [names.ids], [member, placeOf(id, queue)])
    const awaits = this.#awaits
    if (awaits && awaits.when !== 'failed')
      await this.#settle({ set: awaits.set, [awaits.when]: [id] })
  }

  /** After a cancel of a job that waited: what waits for it is settled. */
  async ended(): Promise<void> {
    if (this.#member) await this.#settle(this.#member)
  }

  async #settle(links: SetLinks): Promise<void> {
    await new Settling(this.#rows, this.#alias, false).settle([links])
  }
}
