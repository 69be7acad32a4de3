import { claim } from './claim.mjs'
import { drain, drainFresh, drainWaiting, drainWide } from './drain.mjs'
import { enqueue } from './enqueue.mjs'
import { growth } from './growth.mjs'
import { latency } from './latency.mjs'
import { memory } from './memory.mjs'
import { processes } from './processes.mjs'
import { startup } from './startup.mjs'

/** In the order of the report. */
export const measures = [
  enqueue,
  drain,
  drainFresh,
  drainWide,
  drainWaiting,
  latency,
  growth,
  processes,
  memory,
  startup,
  claim,
]
