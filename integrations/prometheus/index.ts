import type { Registry } from 'prom-client'
import { InvalidSettingsError, shown } from '../../index'
import { measure } from '../metrics/measure'
import { assertOptions } from '../metrics/options'
import { metersOf } from './meters'

export interface RegisterOptions {
  /**
   * Also measures the queues of all Database backends: how many tasks are due, and for how long. One process that asks is
   * enough, since all would tell the same. Default false.
   */
  queues?: boolean | undefined
}

/** The same in every copy of this module, as bundlers make them. */
const KEY = Symbol.for('typeorm-tasks/prometheus')

/**
 * Puts the metrics of tasks, `typeorm_tasks_*`, into a registry of prom-client: `register(client.register)`. To be called before
 * a worker starts. A second call for the same registry takes the place of the first. The function it gives back takes them out.
 *
 * @throws InvalidSettingsError for what is no registry, for an unknown option, or a value that it cannot have.
 */
export function register(registry: Registry, options: RegisterOptions = {}): () => void {
  assertRegistry(registry)
  assertOptions('register', options, { queues: [true, false] })
  const all = globalThis as { [KEY]?: WeakMap<object, () => void> }
  const ends = (all[KEY] ??= new WeakMap())
  ends.get(registry)?.()
  const names: string[] = []
  const stop = measure(metersOf(registry, names), { queues: options.queues ?? false })
  const end = (): void => {
    stop()
    for (const name of names.splice(0)) registry.removeSingleMetric(name)
  }
  ends.set(registry, end)
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
