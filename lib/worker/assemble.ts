import type { TaskBackend } from '../backend'
import { Children } from '../isolation/process-pool'
import { schedules } from '../schedules/registry'
import type { Chore, Store } from '../store'
import type * as heartbeats from './chores/heartbeats'
import { Leases } from './chores/leases'
import { ProgressNotes } from './chores/progress'
import type * as firing from './chores/schedules'
import type * as rescueGate from './chores/rescue-gate'
import { Rescuer } from './chores/rescuer'
import { Retention } from './chores/retention'
import { ReturnUnbegun } from './chores/return-unbegun'
import { ReturnUnstarted } from './chores/return-unstarted'
import { Settling } from './chores/settling'
import type * as watching from './chores/watching'
import type { Watch } from './chores/watching'
import type * as pauses from './chores/pauses'
import { Pulse } from './health/pulse'
import type * as doubtingStore from './stores/doubting-store'
import type * as pausingStore from './stores/pausing-store'
import type { ClaimingStore } from './stores/claiming-store'
import { TaskPool } from './pool/task-pool'
import { UnknownTasks } from './unknown-tasks'
import { Worker } from './worker'
import type { WorkerSettings } from './worker-options'

export function poolOf(
  backend: TaskBackend,
  store: Store,
  { concurrency, isolation }: WorkerSettings,
): TaskPool {
  const children = isolation && new Children(isolation)
  return new TaskPool(backend, concurrency, children, store.maxCrashes)
}

/** A worker with its chores, and what tells how it is. */
export function workerOn(
  pool: TaskPool,
  opened: Store,
  settings: WorkerSettings,
  watch?: Watch,
): { worker: Worker; pulse: Pulse } {
  const pulse = new Pulse(pool, settings, {
    isFull: () => worker.isFull,
    paused: () => leaving.paused(),
  })
  const { store, gate, beating } = withRecord(pulse.hearing(opened), pool, settings)
  const holding = new Leases(store, pool)
  const noting = new ProgressNotes(store, pool)
  // A batch ends: nobody would come back to the row.
  const unknown = settings.batch ? null : new UnknownTasks()
  let look = (): void => {}
  const settling = store.settle ? new Settling(store, pool, () => look()) : undefined
  const caughtUp = (): Promise<void> => holding.caughtUp()
  const rescuing = new Rescuer(store, caughtUp, gate, () => settling?.expect())
  const returning = [new ReturnUnstarted(store, pool), new ReturnUnbegun(store, pool, unknown)]
  const own = [...beating, holding, noting, ...returning, rescuing, pulse]
  const pruning = new Retention(store, pool, () => worker.isStopping)
  const leaving = withPauses(opened.pausedQueues, store, pool, settings, () => look())
  const more = [
    ...leaving.chores,
    pruning,
    ...firingOf(pool.backend, settings),
    ...watchingOf(pool, watch),
    ...(opened.chores ?? []),
  ]
  const chores = [...own, ...(settling ? [settling] : []), ...more]
  const worker: Worker = new Worker(pulse.pacing(leaving.store), settings, pool, chores)
  look = () => worker.look()
  return { worker, pulse }
}

/** The store, the gate and the chore of a worker that has a record, where the store keeps any. */
function withRecord(
  store: Store,
  pool: TaskPool,
  settings: WorkerSettings,
): { store: Store; gate?: rescueGate.RescueGate; beating: Chore[] } {
  const { heartbeat, leaseSeconds } = store
  if (!heartbeat) return { store, beating: [] }
  const { DoubtingStore } = require('./stores/doubting-store') as typeof doubtingStore
  const { Heartbeats } = require('./chores/heartbeats') as typeof heartbeats
  const { RescueGate } = require('./chores/rescue-gate') as typeof rescueGate
  const gate = new RescueGate(leaseSeconds * 1000)
  const beating = new Heartbeats(heartbeat, gate, pool, { ...settings, leaseSeconds })
  return { store: new DoubtingStore(store, gate, beating), gate, beating: [beating] }
}

/** The store and the chore of a worker that leaves paused queues alone, where queues can be paused. */
function withPauses(
  ask: Store['pausedQueues'],
  store: Store,
  pool: TaskPool,
  settings: WorkerSettings,
  onResumed: () => void,
): { store: ClaimingStore; chores: Chore[]; paused: () => readonly string[] } {
  if (!ask) return { store, chores: [], paused: () => [] }
  const { Pauses } = require('./chores/pauses') as typeof pauses
  const { PausingStore } = require('./stores/pausing-store') as typeof pausingStore
  const pausing = new Pauses(ask, store, pool, settings, onResumed)
  const paused = (): readonly string[] => pausing.paused
  return { store: new PausingStore(store, pausing), chores: [pausing], paused }
}

/** None where there is nothing to fire; a batch would end before most slots. */
function firingOf(backend: TaskBackend, { schedules: fires, batch }: WorkerSettings): Chore[] {
  if (!fires || batch || schedules.firedBy(backend.alias).length === 0) return []
  const { Firing } = require('./chores/schedules') as typeof firing
  return [new Firing(backend)]
}

function watchingOf(pool: TaskPool, watch: Watch | undefined): Chore[] {
  if (!watch) return []
  const { Watching } = require('./chores/watching') as typeof watching
  return [new Watching(pool, watch)]
}
