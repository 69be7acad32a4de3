import { group, task } from 'typeorm-tasks'
import type { Connection } from '../../backends/bullmq/connection'
import { RedisFlowRows } from '../../backends/bullmq/flows/flow-rows'
import { keysOf } from '../../backends/bullmq/flows/sets'
import { RedisFlows } from '../../backends/bullmq/flows/store-flows'
import { rawOf } from '../../backends/bullmq/job'
import { jobIn } from '../../backends/bullmq/read'
import { Settling, wholeOf } from '../../backends/database/flows/settling'
import { memberKey } from '../../backends/keys'
import { interruptedFlowContract } from '../contract/flow-interrupted.contract'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'

const part = task('flowRows.part', (value: unknown) => value)
const gather = task('flowRows.gather', (values: unknown) => values)

describeOnRedis('jobs of flows', () => {
  const { ground: jobs, connection: opened } = redisApp({
    queues: ['default', 'other'],
    isAlone: true,
  })
  let connection: Connection

  beforeAll(() => {
    connection = opened()
  })

  interruptedFlowContract(jobs)

  const enqueue = (count: number) =>
    group(Array.from({ length: count }, (_, i) => part.order(i)))
      .next((values) => gather.order(values))
      .enqueue()
  const settling = () => new Settling(new RedisFlowRows(connection, 'default'), 'default', false)
  const setOf = ({ last }: { last: { id: string } }): string => last.id.replaceAll('-', '')
  /** Of a set: how many members are not known to have finished, and how many are known to have failed. */
  const indexed = async (set: string): Promise<[number, number]> => {
    const { open, failed } = keysOf(connection.names, set)
    return [await connection.client.zcard(open), await connection.client.zcard(failed)]
  }

  it('the indexes of a set follow its jobs, whoever has changed these', async () => {
    const { rows } = await jobs.verbs()
    const handle = await enqueue(6)
    const set = setOf(handle)
    const ids = (await handle.results()).map(({ id }) => id)
    const first = async (asked: 'open' | 'failed' | 'unsuccessful') =>
      (await rows.first([wholeOf(set)], asked)).get(set)
    const member = (ordinal: number, status: string) => ({ key: memberKey(set, ordinal), status })

    expect(await first('unsuccessful')).toEqual(member(0, 'READY'))
    await jobs.succeed(ids[0]!, 0)
    await jobs.fail(ids[3]!)
    expect(await first('failed')).toEqual(member(3, 'FAILED'))
    expect(await first('unsuccessful')).toEqual(member(1, 'READY'))
    for (const i of [1, 2, 4]) await jobs.succeed(ids[i]!, i)
    expect(await first('unsuccessful')).toEqual(member(3, 'FAILED'))
    expect(await first('open')).toEqual(member(5, 'READY'))
    expect(await indexed(set)).toEqual([1, 1])

    await connection.client.del(connection.names.job('default', ids[5]!))
    await jobs.succeed(ids[3]!, 3)
    expect(await first('unsuccessful')).toBeUndefined()
    expect(await indexed(set)).toEqual([0, 0])
    expect((await rows.members(wholeOf(set), 10)).map(({ row_key: id }) => id)).toEqual(
      ids.slice(0, 5),
    )
  })

  it('a failure is found behind more members that wait than one step looks at', async () => {
    const { rows } = await jobs.verbs()
    const handle = await enqueue(2_500)
    const ids = (await handle.results()).map(({ id }) => id)
    await jobs.fail(ids[2_400]!)
    const found = await rows.first([wholeOf(setOf(handle))], 'failed')
    expect([...found.values()]).toEqual([
      { key: memberKey(setOf(handle), 2_400), status: 'FAILED' },
    ])
  })

  it('what follows 2,500 gets all values in order, also beside a gap that somebody has made', async () => {
    const handle = await enqueue(2_500)
    const ids = (await handle.results()).map(({ id }) => id)
    const { client, names } = connection
    await client.del(...ids.slice(1_000, 2_200).map((id) => names.job('default', id)))
    for (const [i, id] of ids.entries())
      if (i < 1_000 || (i >= 2_200 && i < 2_500)) await jobs.succeed(id, i)

    expect(await settling().settleWaiting()).toEqual({ due: 1, waiting: 1 })
    const job = (await jobIn(connection, 'default', ids.at(-1)!))!
    const row = await new RedisFlows(connection, 'default').filled(rawOf(job, 'default'))
    const { args } = JSON.parse(row.args_kwargs ?? '') as { args: unknown[] }
    expect(args).toEqual([
      Array.from({ length: 2_500 }, (_, i) => i).filter((i) => i < 1_000 || i >= 2_200),
    ])
  }, 120_000)

  it('settling a set takes as long for its last members as for its first', async () => {
    const members = 20_000
    const handle = await enqueue(members)
    const set = setOf(handle)
    const links = [{ set, successful: [handle.last.id] }]
    const ids = (await jobs.all()).map(({ id }) => id).slice(0, members)
    const settled = settling()
    const lookedAt: number[] = []
    for (let from = 0; from < members; from += 1_000) {
      // In the order of several workers: some are behind, and one of the first ends last.
      const ending = ids.slice(from, from + 1_000).filter((id) => id !== ids[0])
      await jobs.succeedAll(ending.toReversed())
      const before = await lookups(connection.client)
      expect(await settled.settle(links)).toBe(0)
      lookedAt.push((await lookups(connection.client)) - before)
    }
    expect(Math.max(...lookedAt)).toBeLessThan(50)
    await jobs.succeed(ids[0]!, 0)
    expect(await settled.settle(links)).toBe(1)
  }, 120_000)

  it('members in queues of other names and priorities are claimed where they belong', async () => {
    const wait = (queue: string, priority: number) =>
      gather.using({ queueName: queue, priority }).order([])
    const { last } = await part
      .order(0)
      .next(() => group([wait('default', 0), wait('default', 5), wait('other', -5)]))
      .enqueue()
    const [first] = await jobs.all()
    await jobs.succeed(first!.id, 0)
    expect(await settling().settleWaiting()).toEqual({ due: 3, waiting: 3 })
    const { client, names } = connection
    expect(await client.llen(names.job('default', 'wait'))).toBe(1)
    expect(await client.zcard(names.job('default+', 'prioritized'))).toBe(1)
    expect(await client.zrange(names.job('other', 'prioritized'), 0, -1)).toEqual([last.id])
    expect(await settling().settleWaiting()).toEqual({ due: 0, waiting: 0 })
  })

  it('a flow is written whole, also while Redis forgets its scripts again and again', async () => {
    const forgetting = setInterval(() => void connection.client.script('FLUSH'), 1)
    try {
      for (let i = 0; i < 300; i++) await enqueue(2)
    } finally {
      clearInterval(forgetting)
    }
    expect(await jobs.all()).toHaveLength(900)
    const { client, names } = connection
    expect(await client.llen(names.job('default', 'wait'))).toBe(600)
    expect(await client.zcard(names.job('default', 'waiting-children'))).toBe(300)
  })
})

/** How many hashes Redis has looked at so far. */
async function lookups(client: Connection['client']): Promise<number> {
  const [, calls = '0'] =
    /cmdstat_hexists:calls=(\d+)/.exec(await client.info('commandstats')) ?? []
  return Number(calls)
}
