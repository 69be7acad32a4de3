import type { ChildProcess } from 'node:child_process'
import { clock } from '../../lib/clock'
import { briefly } from '../../lib/errors/error-record'
import { log } from '../../lib/events/logger'

/** The keys of the messages between a supervisor and its workers. */
const ASK = 'typeorm-tasks: metrics?'
const ANSWER = 'typeorm-tasks: metrics'
/** Time in ms for a worker to answer. Its event loop may be blocked, and the others must be collected in time. More than its look at queues takes. */
const ANSWER_MS = 3_000

/** What a child process measures, as prom-client has it as JSON. `failed`: a metric could not be collected. `silent`: it did not answer in time. */
export type Measured = readonly object[] | 'failed' | 'silent'

let asked = 0

/** Asks a child process for its metrics. */
export async function askMetrics(child: ChildProcess): Promise<Measured> {
  const id = ++asked
  const done = new AbortController()
  let measured: Measured = 'silent'
  const hear = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || Reflect.get(message, ANSWER) !== id)
      return
    const given: unknown = Reflect.get(message, 'metrics')
    measured = Array.isArray(given) ? (given as object[]) : 'failed'
    done.abort()
  }
  child.on('message', hear)
  if (child.connected) child.send({ [ASK]: id }, (error) => void (error && done.abort()))
  else done.abort()
  await clock.sleep(ANSWER_MS, done.signal)
  child.off('message', hear)
  return measured
}

/** Answers the supervisor of this process by what `collect` gives. */
export function answerMetrics(collect: () => Promise<object[]>): void {
  process.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !(ASK in message)) return
    const id = message[ASK]
    const answer = (metrics: object[] | null): void =>
      void process.send?.({ [ANSWER]: id, metrics }, undefined, undefined, () => {})
    collect().then(answer, (error: unknown) => {
      log.error(`The metrics of this process cannot be collected: ${briefly(error)}`)
      answer(null)
    })
  })
}
