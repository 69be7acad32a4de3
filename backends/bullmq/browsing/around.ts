import { type FlowAround, MOST_COUNTED } from '../../../lib/browser'
import type { TaskResult } from '../../../lib/result'
import { type SetLinks, WHENS } from '../../../lib/row/flow-parts'
import { dashed } from '../../../entities/formats'
import { partOf } from '../../database/flows/settling'
import { wholeOptions } from '../../keys'
import type { Connection } from '../connection'
import { keysOf, partsOf } from '../flows/sets'
import { FIELD, type Job } from '../job'
import { jobById, jobsIn } from '../read'

/** Tasks of a set that are shown. */
const MOST_SHOWN = 200

interface Members {
  readonly jobs: readonly Job[]
  readonly count: number
}

const NOBODY: Members = { jobs: [], count: 0 }

interface Looking {
  readonly queues: readonly string[]
  readonly resultOf: (job: Job) => TaskResult<unknown>
}

/** The tasks before, beside and after one; null: there is no such task, or it is in no flow. */
export async function flowAround(
  connection: Connection,
  id: string,
  { queues, resultOf }: Looking,
): Promise<FlowAround | null> {
  const job = await jobById(connection, queues, id)
  if (!job) return null
  const { [FIELD.flow]: flow = null, [FIELD.member]: key = null } = job.fields
  const { member, awaits } = partOf(wholeOptions(flow, key))
  if (!member && !awaits) return null
  const before = awaits ? await membersOf(connection, awaits.set) : NOBODY
  const all = member ? await membersOf(connection, member.set) : NOBODY
  const beside = all.jobs.filter((each) => each.id !== id)
  const after = await Promise.all(
    followersOf(member).map((follower) => jobById(connection, queues, follower)),
  )
  return {
    before: before.jobs.map(resultOf),
    beforeCount: before.count,
    beside: beside.map(resultOf),
    besideCount: Math.max(0, all.count - 1),
    after: after.flatMap((each) => (each ? [resultOf(each)] : [])),
  }
}

function followersOf(links: SetLinks | undefined): string[] {
  const ids = links ? WHENS.flatMap((when) => links[when] ?? []) : []
  return [...new Set(ids.map(dashed))].slice(0, MOST_SHOWN)
}

/** The first members of a set, in their order, and how many there are, up to the greatest count. */
async function membersOf(connection: Connection, set: string): Promise<Members> {
  const { client, names } = connection
  const { all } = keysOf(names, set)
  const [places, count] = await Promise.all([
    client.zrange(all, 0, MOST_SHOWN - 1),
    client.zcard(all),
  ])
  const jobs = await jobsIn(connection, places.map(partsOf))
  return { jobs, count: Math.min(count, MOST_COUNTED) }
}
