import { Random } from './random'

/** What a soak does to its workers and its database, and by how much more often than others. */
const FAULTS = {
  enqueue: 12,
  kill: 3,
  stop: 2,
  stall: 2,
  outage: 1,
  cut: 2,
  slow: 1,
  silence: 1,
  snapshot: 1,
  lock: 2,
  cancel: 3,
} as const
/** Those that need a server and a network. */
const SERVED = ['cut', 'slow', 'silence', 'snapshot']

export type Fault = keyof typeof FAULTS

export interface Act {
  /** Milliseconds after the start. */
  readonly at: number
  readonly fault: Fault
  /** How long it goes on, where it does. */
  readonly ms: number
  /** For the choices that are left to the moment: which of the workers that there are, which rows. */
  readonly seed: number
}

/** Milliseconds between two acts. */
const [SHORTEST, LONGEST] = [50, 700]
/** Outages do not follow each other faster than servers come back. */
const BETWEEN_OUTAGES = 6_000

/** All that a soak of so many milliseconds will do; the same seed gives the same. */
export function scheduleOf(seed: number, length: number, hasServer: boolean): Act[] {
  const random = new Random(seed)
  const urn = (Object.keys(FAULTS) as Fault[])
    .filter((fault) => hasServer || !SERVED.includes(fault))
    .flatMap((fault) => Array<Fault>(FAULTS[fault]).fill(fault))
  const acts: Act[] = []
  let lastOutage = 0
  for (let at = 0; at < length; at += random.whole(SHORTEST, LONGEST)) {
    const drawn = at === 0 ? 'enqueue' : random.pick(urn)
    const fault = drawn === 'outage' && at - lastOutage < BETWEEN_OUTAGES ? 'enqueue' : drawn
    if (fault === 'outage') lastOutage = at
    acts.push({ at, fault, ms: lengthOf(fault, random), seed: random.whole(0, 2 ** 31) })
  }
  return acts
}

function lengthOf(fault: Fault, random: Random): number {
  if (fault === 'stall') return random.whole(200, 7_000)
  if (fault === 'outage') return random.whole(0, 1_500)
  return random.whole(300, 4_000)
}
