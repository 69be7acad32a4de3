import type { Registry } from 'prom-client'
import { InvalidSettingsError, shown } from '../../index'
import { measure } from '../metrics/measure'
import { assertOptions } from '../metrics/options'
import * as table from '../metrics/table'
import { metersOf } from './meters'

export interface RegisterOptions {
  /**
   * Also measures the queues of all Database backends: how many tasks are due, and for how long. One process that asks is
   * enough, since all would tell the same. Default: as the call before for this registry, such as that of
   * `db_worker --metrics-queues`; else false.
   */
  queues?: boolean | undefined
}

/** The same in every copy of this module, as bundlers make them. */
const KEY = Symbol.for('typeorm-tasks/prometheus')

/** A call of `register`, for those after it. */
interface Registered {
  readonly queues: boolean
  /** The names of its metrics. */
  readonly names: readonly string[]
  readonly end: () => void
}

/**
 * Puts the metrics of tasks, `typeorm_tasks_*`, into a registry of prom-client: `register(client.register)`. To be called before
 * a worker starts. A second call for the same registry takes the place of the first. The function it gives back takes them out.
 *
 * @throws InvalidSettingsError for what is no registry, for one that has other metrics of these names, for an unknown option, or a
 * value that it cannot have. Then the registry is as it was.
 */
export function register(registry: Registry, options: RegisterOptions = {}): () => void {
  assertRegistry(registry)
  assertOptions('register', options, { queues: [true, false] })
  const all = globalThis as { [KEY]?: WeakMap<object, Registered> }
  const calls = (all[KEY] ??= new WeakMap())
  const earlier = calls.get(registry)
  assertFree(registry, earlier?.names ?? [])
  earlier?.end()
  const queues = options.queues ?? earlier?.queues ?? false
  const names: string[] = []
  const stop = measure(metersOf(registry, names), { queues })
  const end = (): void => {
    stop()
    if (calls.get(registry)?.end === end) calls.delete(registry)
    for (const name of names.splice(0)) registry.removeSingleMetric(name)
  }
  calls.set(registry, { queues, names, end })
  return end
}

function assertRegistry(registry: unknown): void {
  const isRegistry =
    typeof registry === 'object' && registry !== null && 'registerMetric' in registry
  if (isRegistry) return
  throw new InvalidSettingsError(
    `register: expected a registry of prom-client, got ${shown(registry)}.`,
    "Write register(client.register), with import client from 'prom-client'.",
  )
}

/** `own`: what an earlier call has made. */
function assertFree(registry: Registry, own: readonly string[]): void {
  const taken = Object.values(table)
    .map(({ prometheus }) => prometheus)
    .find((name) => !own.includes(name) && registry.getSingleMetric(name) !== undefined)
  if (taken === undefined) return
  throw new InvalidSettingsError(
    `register: the registry has a metric named ${shown(taken)} already.`,
    'Rename that one, or register in a registry of its own: register(new Registry()).',
  )
}
