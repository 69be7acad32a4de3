import { type ErrorRecord, headline } from '../../../lib/errors/error-record'
import type {
  AfterRow,
  Asked,
  Found,
  FlowRows,
  KeyRange,
  MemberRow,
  MemberValue,
  ParkedRow,
} from '../../database/dialects/flow-verbs'
import { memberKey, ORDINAL_AT, ordinalOf, wholeOptions } from '../../keys'
import type { Connection } from '../connection'
import { FIELD, type Job, rawOf } from '../job'
import { queueNameOf } from '../names'
import { DROP, FAIL, UNPARK } from './changes'
import { FIRST, type LookedAt, MEMBERS, ONE, PARKED_JOBS, PARTS, VALUES } from './looks'
import { keysOf, LOOKED_AT, parkedKey, partsOf } from './sets'

/** Values up to this size, in bytes, are read for many sets at once. */
const LARGE = 4_000
/** Jobs that one round trip changes or looks up. */
const CHUNK = 1_000

const STATES: Readonly<Record<string, Job['state']>> = {
  open: 'waiting',
  active: 'active',
  completed: 'completed',
  failed: 'failed',
}

/** The verbs of flows on jobs. Each is one round trip, for up to a thousand jobs. */
export class RedisFlowRows implements FlowRows {
  readonly #connection: Connection
  readonly #alias: string

  constructor(connection: Connection, alias: string) {
    this.#connection = connection
    this.#alias = alias
  }

  async first(ranges: readonly KeyRange[], asked: Asked): Promise<Map<string, Found>> {
    const found = await Promise.all(ranges.map((range) => this.#first(range, asked)))
    return new Map(ranges.flatMap(({ set }, i) => (found[i] ? [[set, found[i]]] : [])))
  }

  async members(range: KeyRange, limit: number): Promise<readonly MemberRow[]> {
    const { client, names } = this.#connection
    const { from, upTo } = ordinalsOf(range)
    const key = keysOf(names, range.set).all
    const found = await MEMBERS.run(client, [key], [names.prefix, from, upTo, limit])
    return found.map((each) => this.#member(each, memberKey(range.set, Number(each[1]))))
  }

  async firstValues(
    sets: readonly KeyRange[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly MemberValue[]>> {
    const { client, names } = this.#connection
    const args = [names.prefix, limit, LARGE]
    const values = await Promise.all(
      sets.map(async ({ set }) => {
        const pairs = await VALUES.run(client, [keysOf(names, set).all], args)
        return [set, valuesIn(set, pairs)] as const
      }),
    )
    return new Map(values)
  }

  async row(key: string): Promise<MemberRow | undefined> {
    const { client, names } = this.#connection
    const found = await ONE.run(client, [names.ids], [names.prefix, key])
    return found ? this.#member(found, null) : undefined
  }

  async unpark(keys: readonly string[]): Promise<number> {
    const { client, names } = this.#connection
    const queues: string[] = []
    // The first of them is put before the others, so last.
    for (const chunk of chunksOf(keys.toReversed())) {
      const replies = await Promise.all(
        chunk.map((key) => UNPARK.run(client, [names.ids], [names.prefix, key])),
      )
      queues.push(...replies.flatMap((queue) => queue ?? []))
    }
    await Promise.all(
      [...new Set(queues.map(queueNameOf))].map((queue) =>
        client.publish(names.wakeups, JSON.stringify({ what: 'ready', queue })),
      ),
    )
    return queues.length
  }

  async fail(key: string, error: ErrorRecord): Promise<void> {
    const { client, names } = this.#connection
    const { exceptionClassPath, traceback } = error
    await FAIL.run(
      client,
      [names.ids],
      [
        names.prefix,
        key,
        JSON.stringify({ exceptionClassPath, traceback }),
        headline(error) ?? exceptionClassPath,
        JSON.stringify([traceback]),
      ],
    )
  }

  async drop(keys: readonly string[]): Promise<void> {
    const { client, names } = this.#connection
    for (const chunk of chunksOf(keys))
      await Promise.all(chunk.map((key) => DROP.run(client, [names.ids], [names.prefix, key])))
  }

  async options(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const parts = await this.#parts(keys)
    return new Map(parts.map(([id, , flow, member]) => [id, wholeOptions(flow, member) ?? '{}']))
  }

  async memberOptions(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const members = (await this.#parts(keys)).filter(([, , , member]) => member !== null)
    return new Map(members.map(([id, , flow, member]) => [id, wholeOptions(flow, member) ?? '{}']))
  }

  async unfinished(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const parts = await this.#parts(keys)
    return new Set(parts.flatMap(([id, state]) => (state === 'open' ? [id] : [])))
  }

  async waiting(_alias: string, after: AfterRow, limit: number): Promise<readonly ParkedRow[]> {
    const { client, names } = this.#connection
    const from = after ? `(${after.row_key};` : '-'
    const found = await PARKED_JOBS.run(client, [parkedKey(names)], [names.prefix, from, limit])
    // They are in the order of their ids, and nothing else says where a look goes on.
    return found.map(([id, options]) => ({ row_key: id, options, priority: 0, enqueued_at: '' }))
  }

  async #first(range: KeyRange, asked: Asked): Promise<Found | undefined> {
    const { client, names } = this.#connection
    const { all, open, failed } = keysOf(names, range.set)
    const { from, upTo } = ordinalsOf(range)
    for (let at: string = String(from); ;) {
      const args = [names.prefix, at, upTo, asked, LOOKED_AT]
      const reply = await FIRST.run(client, [all, open, failed], args)
      if (reply === null) return undefined
      const [what, ordinal, state] = reply
      if (what === 'found') {
        const status = state === 'failed' ? 'FAILED' : 'READY'
        return { key: memberKey(range.set, Number(ordinal)), status }
      }
      at = ordinal
    }
  }

  async #parts(
    ids: readonly string[],
  ): Promise<(readonly [string, string, string | null, string | null])[]> {
    const { client, names } = this.#connection
    const replies = await Promise.all(
      chunksOf(ids).map((chunk) => PARTS.run(client, [names.ids], [names.prefix, ...chunk])),
    )
    return replies.flat()
  }

  #member(
    [place, , state, name, returnvalue, error, failedReason]: LookedAt,
    key: string | null,
  ): MemberRow {
    const fields = {
      ...(name !== null && { name }),
      ...(returnvalue !== null && { returnvalue }),
      ...(error !== null && { [FIELD.error]: error }),
      ...(failedReason !== null && { failedReason }),
    }
    const job: Job = { ...partsOf(place), state: STATES[state] ?? 'waiting', fields }
    return { ...rawOf(job, this.#alias), unique_key: key }
  }
}

function ordinalsOf({ set, from, upTo }: KeyRange): { from: number; upTo: number } {
  return { from: ordinalOf(set, from) ?? 0, upTo: ordinalOf(set, upTo) ?? 0 }
}

function valuesIn(set: string, pairs: readonly string[]): MemberValue[] {
  const values: MemberValue[] = []
  for (let at = 0; at < pairs.length; at += 2)
    values.push({
      place: memberKey(set, Number(pairs[at])).slice(ORDINAL_AT),
      value: pairs[at + 1] ?? '',
    })
  return values
}

function chunksOf(keys: readonly string[]): (readonly string[])[] {
  const chunks: (readonly string[])[] = []
  for (let at = 0; at < keys.length; at += CHUNK) chunks.push(keys.slice(at, at + CHUNK))
  return chunks
}
