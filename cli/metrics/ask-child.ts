import type { ChildProcess } from 'node:child_process'
import { clock } from '../../lib/clock'

/** The keys of the messages between a supervisor and its workers. */
const ASK = 'typeorm-tasks: metrics?'
const ANSWER = 'typeorm-tasks: metrics'
/** Time in ms for a worker to answer. Its event loop may be blocked, and the others must be collected in time. */
const ANSWER_MS = 2_000

let asked = 0

/** The metrics of a child process, as prom-client has them as JSON; undefined if it does not answer in time. */
export async function askMetrics(child: ChildProcess): Promise<object[] | undefined> {
  const id = ++asked
  const done = new AbortController()
  let metrics: object[] | undefined
  const hear = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || Reflect.get(message, ANSWER) !== id)
      return
    const given: unknown = Reflect.get(message, 'metrics')
    if (Array.isArray(given)) metrics = given as object[]
    done.abort()
  }
  child.on('message', hear)
  if (child.connected) child.send({ [ASK]: id }, (error) => void (error && done.abort()))
  else done.abort()
  await clock.sleep(ANSWER_MS, done.signal)
  child.off('message', hear)
  return metrics
}

/** Answers the supervisor of this process by what `collect` gives. */
export function answerMetrics(collect: () => Promise<object[]>): void {
  process.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !(ASK in message)) return
    const id = message[ASK]
    const answer = (metrics: object[]): void =>
      void process.send?.({ [ANSWER]: id, metrics }, undefined, undefined, () => {})
    collect().then(answer, () => answer([]))
  })
}
