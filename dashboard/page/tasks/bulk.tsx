import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Changed, TaskPageView } from '../../api/wire'
import { pathOf, useAround } from '../frame/context'
import { Dialog } from '../parts/dialog'
import { ProblemBox } from '../parts/parts'
import { shown } from '../parts/shown'
import { get, postLines, problemOf } from '../server/api'
import { CHANGES, WORDS } from '../words'
import { Buttons } from './buttons'
import { type Change, sayChanged } from './changes'
import { chipOf, type Filter } from './filter'

const PAGE = 200
/** Tasks that are counted before somebody decides; a change may still be of more. */
const MOST_COUNTED = 10_000

interface BulkProps {
  readonly filter: Filter
  readonly close: () => void
}

/** A change of all tasks under a filter: first how many they are, then how many are changed so far. */
export function Bulk({ filter, close }: BulkProps): JSX.Element {
  const { permissions } = useAround().overview
  const counted = useCount(filter)
  const [atMost, setAtMost] = useState('')
  const run = useRun(filter, close)
  const most = Math.floor(Number(atMost || counted.count))
  const state = filter.get('state')
  const changes = CHANGES.filter(
    ({ needs, of }) =>
      permissions.includes(needs) && of.some((each) => !state || isIn(state, each)),
  )
  return (
    <Dialog title={filter.size > 0 ? WORDS.bulkTitle : WORDS.bulkTitleOfAll} close={close}>
      <p>{[...filter].map(([name, value]) => chipOf(name, value)).join(' · ') || WORDS.noFilter}</p>
      {run.progress || run.isRunning || run.problem ? (
        <Progress run={run} most={most} close={close} />
      ) : (
        <>
          <Counted {...counted} />
          <label class="row">
            {WORDS.atMost}
            <input
              type="number"
              min="1"
              value={atMost || String(counted.count)}
              onInput={({ currentTarget }) => setAtMost(currentTarget.value)}
            />
          </label>
          {most > 0 ? (
            <p class="bar">
              <Buttons
                changes={changes}
                count={most}
                make={(change, priority) => {
                  counted.stop()
                  void run.start(change, most, priority)
                }}
              />
            </p>
          ) : null}
        </>
      )}
    </Dialog>
  )
}

interface Count {
  readonly count: number
  /** Whether that is all of them; null: it is still counted. */
  readonly isAll: boolean | null
  readonly stop: () => void
}

/** Counts page by page, so that the database is never asked for more than a page. */
function useCount(filter: Filter): Count {
  const { backend } = useAround()
  const [state, setState] = useState<{ count: number; isAll: boolean | null }>({
    count: 0,
    isAll: null,
  })
  const over = useRef(new AbortController())
  useEffect(() => {
    const { signal } = over.current
    const read = async (): Promise<void> => {
      let count = 0
      let next: string | null = ''
      while (next !== null && count < MOST_COUNTED && !signal.aborted) {
        const given = {
          ...Object.fromEntries(filter),
          limit: String(PAGE),
          ...(next && { before: next }),
        }
        const page: TaskPageView = await get(pathOf('tasks', backend.alias, given), signal)
        count += page.tasks.length
        next = page.next
        setState({ count, isAll: next === null ? true : null })
      }
      if (next !== null) setState({ count, isAll: false })
    }
    read().catch(() => setState((before) => ({ ...before, isAll: false })))
    return () => over.current.abort()
  }, [])
  return { ...state, stop: () => over.current.abort() }
}

function Counted({ count, isAll }: Count): JSX.Element {
  return (
    <p aria-live="polite">{isAll === null ? WORDS.counting(count) : WORDS.counted(count, isAll)}</p>
  )
}

interface Run {
  readonly progress: Changed | null
  readonly isRunning: boolean
  readonly isStopped: boolean
  readonly problem: Changed['error']
  readonly start: (change: Change, atMost: number, priority?: number) => Promise<void>
  readonly stop: () => void
}

/** `done` is called when there is nothing more to tell than how many were changed. */
function useRun(filter: Filter, done: () => void): Run {
  const { backend } = useAround()
  const [state, setState] = useState<Pick<Run, 'progress' | 'isRunning' | 'problem'>>(UNBEGUN)
  const over = useRef(new AbortController())
  useEffect(() => () => over.current.abort(), [])
  const ended = (
    change: Change,
    { count = 0, refusedCount = 0, error }: Changed,
    refused: Changed['refused'],
  ): void => {
    sayChanged(change, count, refused, refusedCount)
    if (!error && refusedCount === 0) done()
  }
  const start = async (change: Change, atMost: number, priority?: number): Promise<void> => {
    setState({ ...UNBEGUN, isRunning: true })
    const body = {
      filter: Object.fromEntries(filter),
      atMost,
      ...(priority !== undefined && { priority }),
    }
    const refused: Changed['refused'][number][] = []
    try {
      const path = pathOf(`tasks/${change.name}`, backend.alias)
      for await (const line of postLines<Changed>(path, body, over.current.signal)) {
        if (refused.length < PAGE) refused.push(...line.refused)
        const progress = { ...line, refused }
        setState({ progress, isRunning: line.isDone !== true, problem: line.error })
        if (line.isDone) ended(change, line, refused)
      }
      setState((before) => ({ ...before, isRunning: false }))
    } catch (error) {
      const problem = over.current.signal.aborted ? undefined : problemOf(error)
      setState((before) => ({ ...before, isRunning: false, problem }))
    }
  }
  const isStopped = over.current.signal.aborted
  return { ...state, isStopped, start, stop: () => over.current.abort() }
}

const UNBEGUN = { progress: null, isRunning: false, problem: undefined }

interface ProgressProps {
  readonly run: Run
  readonly most: number
  readonly close: () => void
}

function Progress({ run, most, close }: ProgressProps): JSX.Element {
  const { progress, isRunning, isStopped, problem, stop } = run
  const count = progress?.count ?? 0
  return (
    <>
      <p class="bar">
        <progress value={count} max={most} aria-label="Progress" />
        <span aria-live="polite">
          {count} / {most}
          {isRunning ? '' : ` ${isStopped || problem ? WORDS.stopped : WORDS.bulkDone}`}
        </span>
        {isRunning ? (
          <button type="button" class="danger" onClick={stop}>
            {WORDS.stop}
          </button>
        ) : null}
      </p>
      {problem ? <ProblemBox problem={problem} /> : null}
      {progress ? <Refusals {...progress} /> : null}
      {isRunning ? null : (
        <p class="bar end">
          <button type="button" onClick={close}>
            {WORDS.close}
          </button>
        </p>
      )}
    </>
  )
}

function Refusals({ refused, refusedCount = refused.length }: Changed): JSX.Element | null {
  if (refusedCount === 0) return null
  return (
    <details>
      <summary>{WORDS.whatRefused(refusedCount)}</summary>
      <ul>
        {refused.map(({ id, message }) => (
          <li key={id}>{shown(message)}</li>
        ))}
      </ul>
    </details>
  )
}

/** Whether tasks of a state have a status. */
function isIn(state: string, status: string): boolean {
  return state === status || (status === 'READY' && ['DUE', 'LATER', 'WAITING'].includes(state))
}
