import { AsyncLocalStorage } from 'node:async_hooks'
import type { TaskBackend } from '../index'
import { backends } from '../lib/backend-registry'
import { onePerProcess } from '../lib/copies/one-per-process'
import { inFreshContext } from '../lib/execution/run-context'

/** Whoever stands in for the backends of TASKS. */
export interface StandIn {
  backendFor(real: TaskBackend): TaskBackend
}

const state = onePerProcess('tests', () => ({
  active: [] as readonly StandIn[],
  scope: new AsyncLocalStorage<StandIn>(),
}))

/**
 * From now on the backends of TASKS are those of `kit`: in the caller's asynchronous context until `end`, and elsewhere, as in a
 * server that was started before, as long as no later one has begun.
 */
export function begin(kit: StandIn): void {
  state.active = [...state.active, kit]
  state.scope.enterWith(kit)
  backends.substitute(replaced)
}

/** May be called again. */
export function end(kit: StandIn): void {
  state.active = state.active.filter((each) => each !== kit)
  if (state.active.length === 0) backends.substitute()
}

/** Calls `work` where the backends are those of `kit`, whatever else has begun. */
export function within<T>(kit: StandIn, work: () => T): T {
  return state.scope.run(kit, work)
}

/** Calls `work` where every other context of the caller is empty, as that of a worker is; its backends stay. */
export function freshly<T>(work: () => T): T {
  const own = state.scope.getStore()
  return inFreshContext(() => (own ? state.scope.run(own, work) : work()))
}

function replaced(real: TaskBackend): TaskBackend {
  const own = state.scope.getStore()
  const kit = own && state.active.includes(own) ? own : state.active.at(-1)
  return kit?.backendFor(real) ?? real
}
