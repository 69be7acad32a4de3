import type { Judge, Outcome, Rescued } from '../../../lib/store'
import { expiredRow } from '../../database/row'
import type { Connection } from '../connection'
import { rawOf } from '../job'
import { jobIn } from '../read'
import { Script } from '../script'
import { recordOf } from '../../../lib/errors/error-record'
import { TaskCancelled } from '../../../lib/errors/run-errors'
import { type HeldJobs, tokenIn, tokenOf } from './held-jobs'
import type { Holding } from './holding'
import { isOfTasks, type OthersJobs } from './others-jobs'
import type { Outcomes } from './outcomes'

/** The most jobs that one look takes over in a queue. */
const MOST = 100
/** Active jobs that one script looks at, while others wait. */
const PORTION = 1_000

/**
 * Takes the lock of each active job that has none, since its lease ran out: now nobody else can. Gives also those whose lock is of
 * this store, and how many it has looked at. It looks at a portion of the list, counted from its end: claims add at its front.
 */
const TAKE_LOST = new Script<[lost: string[], own: string[], looked: number]>(
  'takeLost',
  `
local queue, token, lease, most, prefix = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local lost, own = {}, {}
local ids = redis.call('LRANGE', queue .. 'active', ARGV[6], ARGV[7])
for _, id in ipairs(ids) do
  local lock = redis.call('GET', queue .. id .. ':lock')
  if not lock and redis.call('EXISTS', queue .. id) == 0 then
    redis.call('LREM', queue .. 'active', 1, id)
  elseif not lock then
    if #lost < most then
      redis.call('SET', queue .. id .. ':lock', token, 'PX', lease)
      lost[#lost + 1] = id
    end
  elseif string.sub(lock, 1, #prefix) == prefix then
    own[#own + 1] = id
    own[#own + 1] = lock
  end
end
return { lost, own, #ids }`,
)

export interface RescuePlace {
  readonly connection: Connection
  readonly alias: string
  readonly queues: readonly string[]
  readonly leaseMs: number
  readonly held: HeldJobs
  readonly outcomes: Outcomes
  readonly holding: Holding
  readonly others: OthersJobs
}

/** Takes over jobs whose lease ran out, and gives those back whose claim was never answered. */
export async function rescueJobs(place: RescuePlace, judge: Judge): Promise<Rescued> {
  const found = await Promise.all(place.queues.map((queue) => rescueIn(place, queue, judge)))
  const taken = found.flat()
  const ids = (status: Outcome['status']): string[] =>
    taken.filter((outcome) => outcome.status === status).map(({ key }) => key)
  return { released: ids('READY'), failed: ids('FAILED') }
}

async function rescueIn(place: RescuePlace, queue: string, judge: Judge): Promise<Outcome[]> {
  const taken: Outcome[] = []
  let found = 0
  // What ends meanwhile moves others past the border of a portion: the next look finds them.
  for (let seen = 0; found < MOST; seen += PORTION) {
    const portion = await rescuePortion(place, queue, { seen, most: MOST - found }, judge)
    taken.push(...portion.taken)
    found += portion.found
    if (portion.looked < PORTION) break
  }
  return taken
}

interface Portion {
  /** How many were looked at before, from the end of the list. */
  readonly seen: number
  readonly most: number
}

async function rescuePortion(
  place: RescuePlace,
  queue: string,
  { seen, most }: Portion,
  judge: Judge,
): Promise<{ taken: readonly Outcome[]; found: number; looked: number }> {
  const { connection, leaseMs, held } = place
  const prefix = connection.names.job(queue, '')
  const tokens = held.newTokens(1)
  const token = tokenOf(tokens, 0)
  try {
    const [lost, own, looked] = await TAKE_LOST.run(
      connection.client,
      [prefix + 'active'],
      [prefix, token, leaseMs, most, held.lockPrefix, -seen - PORTION, -seen - 1],
    )
    await giveBackUnheard(place, queue, own)
    const all = await Promise.all(lost.map((id) => take(place, queue, { id, token }, judge)))
    const taken = all.filter((outcome) => outcome !== undefined)
    return { taken, found: lost.length, looked }
  } finally {
    held.answered(tokens)
  }
}

async function take(
  { connection, alias, outcomes, others }: RescuePlace,
  queue: string,
  { id, token }: { readonly id: string; readonly token: string },
  judge: Judge,
): Promise<Outcome | undefined> {
  const job = await jobIn(connection, queue, id)
  if (!job || (!isOfTasks(job) && (await others.leave(job, token)))) return undefined
  const row = expiredRow(rawOf(job, alias))
  const outcome = judge(row)
  const { key, claims, values } = row
  const ours = {
    key,
    claims,
    queue,
    token,
    workerIds: values.workerIds,
    uniqueKey: job.fields['deid'],
  }
  return (await outcomes.end(outcome, ours)) ? outcome : undefined
}

/**
 * Their claim was answered to a connection that was no more: nobody runs them, though their lock is this store's. One of which
 * somebody has asked for the end meanwhile ends by that.
 */
async function giveBackUnheard(
  { connection, held, holding, outcomes, alias }: RescuePlace,
  queue: string,
  own: readonly string[],
): Promise<void> {
  for (let at = 0; at < own.length; at += 2) {
    const [id = '', lock = ''] = own.slice(at, at + 2)
    const job = held.knows(id, lock) ? undefined : await jobIn(connection, queue, id)
    if (!job || held.knows(id, lock)) continue
    const { key, claims, values } = expiredRow(rawOf(job, alias))
    const ours = {
      key,
      claims,
      queue,
      token: tokenIn(lock) ?? lock,
      workerIds: values.workerIds,
      uniqueKey: job.fields['deid'],
    }
    if (await holding.release(ours, undefined)) continue
    await outcomes.end(
      { key, claims, status: 'FAILED', error: recordOf(new TaskCancelled()) },
      ours,
    )
  }
}
