import type { JSX } from 'preact'
import type { ErrorView, Whole } from '../../api/wire'
import { instant } from '../parts/format'
import { Ago, Took } from '../parts/parts'
import { briefly, shown } from '../parts/shown'
import { WORDS } from '../words'

/** Attempts that are shown; of more the newest. */
const MOST_SHOWN = 20

interface Step {
  readonly name: string
  readonly at: string | null
  readonly kind: 'plain' | 'running' | 'failed' | 'successful'
  readonly worker?: string | undefined
  readonly error?: string | undefined
}

/** What became of a task, from when it was enqueued. */
export function Timeline({ task }: { readonly task: Whole }): JSX.Element {
  return (
    <section>
      <h2>{WORDS.timeline}</h2>
      <ol class="timeline">
        {stepsOf(task).map((step, i) => (
          <li key={i} class={step.kind}>
            <b>{step.name}</b>
            {step.at === null ? null : (
              <span class="faint">
                {instant(step.at)} · <Ago at={step.at} />
              </span>
            )}
            {step.worker === undefined ? null : (
              <small title={shown(step.worker)}>
                {WORDS.onWorker} {briefly(step.worker, 48)}
              </small>
            )}
            {step.error === undefined ? null : <small class="bad">{shown(step.error)}</small>}
            {step.kind === 'running' && step.at !== null ? (
              <small>
                {WORDS.isRunning} <Took from={step.at} to={null} />
              </small>
            ) : null}
          </li>
        ))}
      </ol>
    </section>
  )
}

function stepsOf(task: Whole): Step[] {
  const { enqueuedAt, runAfter, finishedAt, status, isWaiting } = task
  const steps: Step[] = []
  if (enqueuedAt !== null) steps.push({ name: WORDS.enqueued, at: enqueuedAt, kind: 'plain' })
  const attempts = attemptsOf(task)
  const isLater = runAfter !== null && runAfter !== enqueuedAt
  // After a failed attempt it is the time of the next one.
  const due: Step[] = isLater ? [{ name: WORDS.due, at: runAfter, kind: 'plain' }] : []
  const isRetry = isLater && task.startedAt !== null && runAfter > task.startedAt
  steps.push(...(isRetry ? [...attempts, ...due] : [...due, ...attempts]))
  if (isWaiting) steps.push({ name: WORDS.waitsForFlow, at: null, kind: 'plain' })
  if (finishedAt !== null)
    steps.push({
      name: WORDS.finished,
      at: finishedAt,
      kind: status === 'FAILED' ? 'failed' : 'successful',
    })
  return steps
}

function attemptsOf(task: Whole): Step[] {
  const { attempts, workerIds, status } = task
  const errors = errorsByAttempt(task)
  const first = Math.max(1, attempts - MOST_SHOWN + 1)
  return Array.from({ length: Math.max(0, attempts - first + 1) }, (_, i): Step => {
    const number = first + i
    const isLast = number === attempts
    const error = errors.get(number)
    return {
      name: WORDS.attempt(number),
      at: isLast ? task.startedAt : null,
      kind: isLast && status === 'RUNNING' ? 'running' : error || !isLast ? 'failed' : 'plain',
      // Of the newest attempts, one each.
      worker: workerIds.at(number - attempts - 1),
      error: error && textOf(error),
    }
  })
}

/** Errors are those of the attempts that failed, in their order; with others among them nobody can tell which is whose. */
function errorsByAttempt({ attempts, status, errors, errorCount }: Whole): Map<number, ErrorView> {
  const failed = status === 'RUNNING' || status === 'SUCCESSFUL' ? attempts - 1 : attempts
  if (errorCount !== failed) return new Map()
  return new Map(errors.map((error, i) => [errorCount - errors.length + i + 1, error]))
}

function textOf({ exceptionClassPath }: ErrorView): string {
  return /\bWorkerLost$/.test(exceptionClassPath)
    ? `${WORDS.lost} (${exceptionClassPath})`
    : exceptionClassPath
}
