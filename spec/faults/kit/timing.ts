import type { TaskEvent } from './history'

/** Settings of these specs: the lease, the look for lost rows, the look for work, in milliseconds. */
export const LEASE = 3_000
export const RESCUE = 1_300
export const POLL = 200

/** Within this time after its worker's death a task runs again; the last part is what a busy machine takes besides. */
export const TAKEOVER_BOUND = LEASE + RESCUE + POLL + 4_000

/** Milliseconds from an instant of this process's clock to the last start of each task. */
export function restartDelays(events: readonly TaskEvent[], since: number): number[] {
  const last = new Map(
    events.filter(({ event }) => event === 'start').map(({ id, at }) => [id, at]),
  )
  return [...last.values()].map((at) => at - since)
}

/** The claims under which a task started, in order. */
export function claimsOf(events: readonly TaskEvent[], id: string, event = 'start'): number[] {
  return events.filter((each) => each.event === event && each.id === id).map(({ claim }) => claim)
}
