import { type JSX, render } from 'preact'
import { useEffect } from 'preact/hooks'
import type { BackendView, Overview, Problem } from '../api/wire'
import { Around } from './frame/context'
import { Frame, type PageName, PAGES } from './frame/frame'
import { type Place, usePlace } from './frame/place'
import { OverviewPage } from './overview/overview'
import { ProblemBox, Unread } from './parts/parts'
import { shown } from './parts/shown'
import { Queues } from './places/queues'
import { Schedules } from './places/schedules'
import { Workers } from './places/workers'
import { live } from './server/live'
import { takeToken } from './server/token'
import { useLive, useMode } from './server/use'
import { OneTask } from './task/task'
import { Tasks } from './tasks/tasks'
import { WORDS } from './words'
import './style/base.css'
import './style/frame.css'
import './style/lists.css'
import './style/lines.css'
import './style/task.css'
import './style/plots.css'

function App(): JSX.Element {
  const place = usePlace()
  const page = PAGES.find((name) => name === place.path[0]) ?? 'overview'
  const { value: overview, problem } = useLive<Overview>('overview')
  const isAway = useMode() === 'away'
  useEffect(() => {
    const title = overview?.title ?? 'Tasks'
    document.title = shown(`${WORDS.pages[page]} – ${title}`)
  }, [page, overview?.title])
  return (
    <Frame overview={overview} page={page} place={place}>
      {problem && (overview !== undefined || isAway) ? <ProblemBox problem={problem} /> : null}
      {overview ? (
        <Backend overview={overview} page={page} place={place} problem={problem} />
      ) : isAway ? null : (
        <Unread problem={problem} />
      )}
    </Frame>
  )
}

interface BackendProps {
  readonly overview: Overview
  readonly page: PageName
  readonly place: Place
  readonly problem: Problem | undefined
}

function Backend({ overview, page, place, problem }: BackendProps): JSX.Element {
  const alias = place.filter.get('backend')
  const backend: BackendView = overview.backends.find((each) => each.alias === alias) ??
    overview.backends[0] ?? { alias: '', queues: null, problem: null, noPauses: null }
  return (
    <Around.Provider value={{ overview, backend, problem }}>
      {backend.problem ? <ProblemBox problem={backend.problem} /> : null}
      <At page={page} place={place} />
    </Around.Provider>
  )
}

function At({ page, place }: Pick<BackendProps, 'page' | 'place'>): JSX.Element {
  const [, id] = place.path
  if (page === 'tasks')
    return id === undefined ? <Tasks {...place} /> : <OneTask key={id} id={id} />
  if (page === 'queues') return <Queues />
  if (page === 'workers') return <Workers />
  return page === 'schedules' ? <Schedules /> : <OverviewPage />
}

takeToken()
live.start()
render(<App />, document.body)
