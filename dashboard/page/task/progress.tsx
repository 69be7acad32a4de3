import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import type { Whole } from '../../api/wire'
import { rough } from '../parts/format'
import { shown } from '../parts/shown'
import { WORDS } from '../words'

/** Readings that the speed is computed from: of so many ms. */
const WINDOW_MS = 30_000

interface Reading {
  readonly at: number
  readonly done: number
}

/** How far a running task is, how fast, and when it will be done if it goes on so. */
export function ProgressBar({
  task: { progress, attempts },
}: {
  readonly task: Whole
}): JSX.Element | null {
  const readings = useRef<{ attempts: number; all: readonly Reading[] }>({ attempts, all: [] })
  if (!progress) return null
  const { done, total, note } = progress
  const before = readings.current.attempts === attempts ? readings.current.all : []
  readings.current = { attempts, all: readingsWith(before, done) }
  const speed = speedOf(readings.current.all)
  return (
    <div class="far">
      <progress value={done} {...(total === null ? {} : { max: total })} aria-label="Progress" />
      <span>
        <b>{total ? `${Math.floor((done / total) * 100)} %` : done}</b>
        {total === null ? '' : ` · ${done} / ${total}`}
        {speed === null ? '' : ` · ${WORDS.perSecond(speed.toPrecision(2))}`}
        {speed === null || total === null
          ? ''
          : ` · ${WORDS.left(rough(((total - done) / speed) * 1_000))}`}
      </span>
      {note ? <small>{shown(note)}</small> : null}
    </div>
  )
}

function readingsWith(before: readonly Reading[], done: number): readonly Reading[] {
  const at = performance.now()
  const last = before.at(-1)
  // One that is behind the last comes of a task that has begun anew.
  if (!last || done < last.done) return [{ at, done }]
  if (done === last.done) return before
  return [...before.filter((each) => at - each.at < WINDOW_MS), { at, done }]
}

/** A second; null: it is too early to tell. */
function speedOf(readings: readonly Reading[]): number | null {
  const [first] = readings
  const last = readings.at(-1)
  if (!first || !last || last.at - first.at < 900) return null
  return ((last.done - first.done) / (last.at - first.at)) * 1_000
}
