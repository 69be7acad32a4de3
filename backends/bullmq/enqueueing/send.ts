import { scheduleOf, slotIn } from '../../keys'
import type { Connection } from '../connection'
import type { NewJob } from './new-job'
import { tellOf } from './told'

/** Jobs in one round trip. */
const MOST_JOBS = 500
/** Characters of arguments in one round trip. */
const MOST_TEXT = 4 * 1024 * 1024

/** The id of the job that stands for a new one: its own, or that of who holds its key. Or why it could not be written. */
export type Answer = PromiseSettledResult<string>

/** Sends jobs in one round trip. */
export async function send(connection: Connection, jobs: readonly NewJob[]): Promise<Answer[]> {
  const { client, names } = connection
  // The index before the job: what is there must be found; that it is not there is seen by who looks.
  const indexed = client.zadd(names.ids, ...jobs.flatMap(({ id, queue }) => [0, `${id}:${queue}`]))
  const added = jobs.map((job) => add(connection, job))
  tellOf(connection, jobs)
  const [index, ...answers] = await Promise.allSettled([indexed, ...added])
  return index.status === 'rejected' ? jobs.map(() => index) : (answers as Answer[])
}

/** As many at a time as one round trip takes. */
export function portionsOf(jobs: readonly NewJob[]): NewJob[][] {
  const portions: NewJob[][] = []
  let [jobsLeft, textLeft] = [0, 0]
  for (const job of jobs) {
    const size = job.json.data.length
    if (jobsLeft === 0 || size > textLeft) {
      portions.push([])
      ;[jobsLeft, textLeft] = [MOST_JOBS, MOST_TEXT]
    }
    portions.at(-1)?.push(job)
    jobsLeft -= 1
    textLeft -= size
  }
  return portions
}

/** In this turn, so that what is sent before it comes before it, and what is sent after it comes after it. */
export function add(
  connection: Connection,
  job: Pick<NewJob, 'id' | 'queue' | 'key' | 'json'>,
): Promise<string> {
  const { client, names } = connection
  const queue = connection.queue(job.queue)
  const commands = client as unknown as Record<string, (args: unknown[]) => Promise<string>>
  const on = { runCommand: (name: string, args: unknown[]) => commands[name]?.(args) }
  // Keys are of all queues, and not of the one that the job is in.
  const keys = job.key === null ? queue.keys : { ...queue.keys, de: names.keys }
  const added = queue.addJobToTransaction(on as never, job.json as never, job.id, {}, keys)
  rememberSlot(connection, job)
  return added
}

/** Takes a job from the index that was not written after all: another one has its key. */
export function forget({ client, names }: Connection, { id, queue }: NewJob): void {
  client.zrem(names.ids, `${id}:${queue}`).catch(() => {})
}

/** The newest of its schedule: by that it is known which slots have had their turn. */
function rememberSlot({ client, names }: Connection, { key }: Pick<NewJob, 'key'>): void {
  const schedule = scheduleOf(key)
  const at = schedule && slotIn(schedule, key)
  if (!schedule || !at) return
  client.zadd(names.slots, 'GT', at.getTime(), schedule).catch(() => {})
}
