import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Fired, SchedulesView, ScheduleView } from '../../api/wire'
import { useAround, useMay } from '../frame/context'
import { linkTo } from '../frame/place'
import { say } from '../frame/saying'
import { Confirm } from '../parts/dialog'
import { instant, minute } from '../parts/format'
import { Ago, Empty, Stale, State, Unread } from '../parts/parts'
import { briefly, shown } from '../parts/shown'
import { post, problemOf } from '../server/api'
import { useLive } from '../server/use'
import { WORDS } from '../words'

const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone

/** The schedules of the process that serves the page. */
export function Schedules(): JSX.Element {
  const { value, problem } = useLive<SchedulesView>('schedules')
  if (!value)
    return (
      <>
        <h1>{WORDS.pages.schedules}</h1>
        <Unread problem={problem} />
      </>
    )
  return (
    <>
      <h1>{WORDS.pages.schedules}</h1>
      <Stale problem={problem} />
      {value.schedules.length === 0 ? (
        <Empty what={WORDS.noSchedules} hint={WORDS.noSchedulesHint} />
      ) : (
        <div class="cards">
          {value.schedules.map((schedule) => (
            <Card key={schedule.name} schedule={schedule} />
          ))}
        </div>
      )}
    </>
  )
}

function Card({ schedule }: { readonly schedule: ScheduleView }): JSX.Element {
  const { name, task, when, words, timeZone, enabled, last } = schedule
  const mayRun = useMay('run')
  const [isAsking, setAsking] = useState(false)
  return (
    <section class="card">
      <h2>
        {shown(name)} {enabled ? null : <span class="badge warm">{WORDS.off}</span>}
        {mayRun ? (
          <button type="button" onClick={() => setAsking(true)}>
            {WORDS.runNow}
          </button>
        ) : null}
      </h2>
      <p>
        {words === when ? null : <>{shown(words)} </>}
        <code>{shown(when)}</code> <span class="faint">{shown(timeZone)}</span>
      </p>
      <dl>
        <dt>Task</dt>
        <dd>
          <a href={linkTo('tasks', [['task', task]])}>{briefly(task)}</a>
        </dd>
        <dt>{WORDS.last}</dt>
        <dd>{last ? <Last last={last} /> : WORDS.never}</dd>
        <dt>{WORDS.next}</dt>
        <dd>
          <Next schedule={schedule} />
        </dd>
      </dl>
      {isAsking ? <AskRun schedule={schedule} close={() => setAsking(false)} /> : null}
    </section>
  )
}

function Last({
  last: { at, status },
}: {
  readonly last: NonNullable<ScheduleView['last']>
}): JSX.Element {
  return (
    <>
      <State task={{ ...NO_TASK, status }} /> {minute(at)} · <Ago at={at} />
    </>
  )
}

const NO_TASK = { isWaiting: false, runAfter: null }

/** In the time of the browser, and in the zone of the schedule where that is another one. */
function Next({ schedule: { next, timeZone } }: { readonly schedule: ScheduleView }): JSX.Element {
  const zone = isZone(timeZone) ? timeZone : undefined
  // Slots of one minute would look alike.
  const shownAt = next.some((at) => new Date(at).getSeconds() !== 0) ? instant : minute
  const isOther = zone !== undefined && next.some((at) => shownAt(at) !== shownAt(at, zone))
  const [first] = next
  if (first === undefined) return <>–</>
  return (
    <>
      <Ago at={first} />
      <table class="slots">
        <thead>
          <tr>
            <th scope="col">{LOCAL_ZONE}</th>
            {isOther ? <th scope="col">{shown(timeZone)}</th> : null}
          </tr>
        </thead>
        <tbody>
          {next.map((at) => (
            <tr key={at}>
              <td>{shownAt(at)}</td>
              {isOther ? <td>{shownAt(at, zone)}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}

interface AskRunProps {
  readonly schedule: ScheduleView
  readonly close: () => void
}

function AskRun({ schedule: { name, backend }, close }: AskRunProps): JSX.Element {
  const { backends } = useAround().overview
  const run = async (): Promise<void> => {
    try {
      const { id } = await post<Fired>(`schedules/${encodeURIComponent(name)}/run`, {})
      const href = linkOf(id, backends.length > 1 ? backend : '')
      say(WORDS.fired(name), { link: { href, text: WORDS.seeTask } })
    } catch (error) {
      const { message, hint } = problemOf(error)
      say(message, { isBad: true, details: hint ? [hint] : [] })
    }
  }
  return (
    <Confirm
      title={WORDS.askRun(shown(name))}
      label={WORDS.runNow}
      isGrave={false}
      yes={() => void run()}
      close={close}
    />
  )
}

/** The task may be of another backend than the one that is looked at. */
function linkOf(id: string, backend: string): string {
  if (backend === '') return linkTo(`tasks/${id}`)
  return `#/tasks/${id}?${new URLSearchParams({ backend }).toString()}`
}

/** Browsers may not know each zone. */
function isZone(timeZone: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
