import { UsageError } from '../../lib/errors/errors'
import { MAX_WORKER_ID } from '../../lib/worker/worker-options'
import type { FleetOptions } from './supervised-worker'

/** Options of the command line that are about all processes. */
export interface FleetCall {
  readonly processes: number
  readonly workerId?: string
  readonly batch?: boolean
  readonly maxTasks?: number
}

/** @throws UsageError if the name leaves no room for the numbers of the processes. */
export function fleetOptions({
  processes,
  workerId,
  batch = false,
  maxTasks,
}: FleetCall): FleetOptions {
  const longest = MAX_WORKER_ID - `-${processes}`.length
  if (processes > 1 && workerId !== undefined && workerId.length > longest)
    throw new UsageError(
      `argument --worker-id: expected at most ${longest} characters, got ${workerId.length}: --processes ${processes} appends -1 to -${processes}.`,
      'Shorten it.',
    )
  return { processes, workerId, batch, mayBeDone: batch || maxTasks !== undefined }
}
