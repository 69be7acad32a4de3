import type { Redis } from 'ioredis'
import type { Problem } from '../../../lib/backend'
import { isA } from '../../../lib/errors/error-record'
import { TasksError } from '../../../lib/errors/errors'
import { withoutPasswords } from '../../../lib/errors/foreign-text'
import { type Client, isClusterClient } from '../clients/client-of-app'
import type { Connection } from '../connection'
import { explained } from '../errors'
import { Script } from '../script'
import { othersJobs } from './others-jobs'
import { keepingProblems } from './keeping'
import { serverProblems } from './server'
import { type Seen, seenOf } from './seen'

export interface Checked {
  readonly alias: string
  /** The queues of TASKS. */
  readonly queues: readonly string[]
}

/** What every enqueue and every claim must be allowed to do. */
const TRY = new Script<number>(
  'try',
  `
redis.call('SET', KEYS[1], '1', 'PX', 1000)
redis.call('PUBLISH', KEYS[1], '')
return redis.call('DEL', KEYS[1])`,
)

/** Problems that keep tasks from working with this Redis, or from lasting there; empty if there are none. */
export async function checkRedis(
  connected: () => Connection,
  checked: Checked,
): Promise<Problem[]> {
  let connection: Connection | undefined
  try {
    connection = connected()
    return await problemsOf(connection, checked)
  } catch (error) {
    return [problemOf(connection ? explained(error, connection.client, checked.alias) : error)]
  }
}

async function problemsOf(connection: Connection, checked: Checked): Promise<Problem[]> {
  const { client, names } = connection
  const subject = `Redis (TASKS.${checked.alias})`
  // By the answer a client of a cluster knows its nodes.
  if (isClusterClient(client)) await client.exists(names.own('check'))
  const nodes = await Promise.all(nodesOf(client).map((node) => seenOf(node)))
  const ofServers = once(
    nodes.flatMap((seen) => serverProblems(seen, isClusterClient(client), subject)),
  )
  if (ofServers.some(({ level }) => level === 'error')) return ofServers
  return [
    ...ofServers,
    ...once(nodes.flatMap((seen: Seen) => keepingProblems(seen, subject))),
    ...(await refusedToTry(connection, checked.alias)),
    ...(await othersJobs(connection, checked.queues, subject)),
  ]
}

function nodesOf(client: Client): Redis[] {
  return isClusterClient(client) ? client.nodes('master') : [client]
}

/** Nodes of a cluster mostly have the same problem. */
function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()]
}

async function refusedToTry({ client, names }: Connection, alias: string): Promise<Problem[]> {
  try {
    await TRY.run(client, [names.own('check')], [])
    return []
  } catch (error) {
    const problem = problemOf(explained(error, client, alias))
    // Old results can be deleted all the same, and a worker goes on once there is room.
    return [isFull(error) ? { ...problem, level: 'warning' } : problem]
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && /^-?OOM\b/.test(error.message)
}

function problemOf(error: unknown): Problem {
  if (isA(error, TasksError)) return { level: 'error', message: error.what, hint: error.hint }
  const { message } = error as Error
  return {
    level: 'error',
    message: `Redis refused what tasks need: ${withoutPasswords(String(message))}`,
    hint: 'Look into its log.',
  }
}
