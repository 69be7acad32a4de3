import type { Connection } from '../connection'
import { addManyNow, PORTION } from './add-many'
import type { BareJob } from './new-job'

/** The fewest jobs of one command, while there are more: Redis is at work on them while the next ones are made. */
const FEWEST = 4
/** Commands at least, for the same reason. */
const COMMANDS = 5
/** Characters of arguments in one command. */
const MOST_TEXT = 1024 * 1024

interface Waiting {
  readonly job: BareJob
  readonly resolve: (id: string) => void
  readonly reject: (error: unknown) => void
}

const waitingOf = new WeakMap<Connection, Waiting[]>()

/**
 * Adds a job that has nothing but a name and data, together with the others that are handed in in this turn of the event loop: when
 * the answers of several enqueues came with one read, the next ones are one command too. One that is alone waits for nobody.
 */
export function addBesideOthers(connection: Connection, job: BareJob): Promise<string> {
  return new Promise((resolve, reject) => {
    const waiting = waitingOf.get(connection)
    const one = { job, resolve, reject }
    if (waiting && waiting.length > 0) {
      waiting.push(one)
      return
    }
    waitingOf.set(connection, [one])
    // After the microtasks of this turn, in which those go on whose answers have come.
    process.nextTick(() => sendWaiting(connection))
  })
}

/** Sends what has been handed in in this turn: what is sent after it comes after it. */
export function sendWaiting(connection: Connection): void {
  const waiting = waitingOf.get(connection) ?? []
  waitingOf.delete(connection)
  for (const portion of portionsOf(waiting)) void addPortion(connection, portion)
}

async function addPortion(connection: Connection, portion: readonly Waiting[]): Promise<void> {
  try {
    const added = await addManyNow(
      connection,
      portion.map(({ job }) => job),
    )
    portion.forEach(({ resolve, reject }, i) => {
      const answer = added[i]
      if (typeof answer === 'string') resolve(answer)
      else reject(new Error(answer?.[0] ?? 'Redis has given too few answers.'))
    })
  } catch (error) {
    for (const { reject } of portion) reject(error)
  }
}

/** Each of one queue, and not too large. */
function portionsOf(waiting: readonly Waiting[]): readonly (readonly Waiting[])[] {
  if (waiting.length === 1) return [waiting]
  const most = Math.min(PORTION, Math.max(FEWEST, Math.ceil(waiting.length / COMMANDS)))
  const portions: Waiting[][] = []
  const open = new Map<string, { readonly portion: Waiting[]; text: number }>()
  for (const one of waiting) {
    const { queue, json } = one.job
    const last = open.get(queue)
    const size = json.data.length
    if (last && last.portion.length < most && last.text + size <= MOST_TEXT) {
      last.portion.push(one)
      last.text += size
    } else {
      const portion = [one]
      portions.push(portion)
      open.set(queue, { portion, text: size })
    }
  }
  return portions
}
