import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Overview } from '../../api/wire'
import { shown } from '../parts/shown'
import { useMode } from '../server/use'
import { WORDS } from '../words'
import { Help } from './help'
import { useKeys } from './keys'
import { goTo, linkTo, type Place } from './place'
import { useSaid } from './saying'

export const PAGES = ['overview', 'tasks', 'queues', 'workers', 'schedules'] as const
export type PageName = (typeof PAGES)[number]

interface FrameProps {
  readonly overview: Overview | undefined
  readonly page: PageName
  readonly place: Place
  readonly children: ComponentChildren
}

/** What stands around every place of the page. */
export function Frame({ overview, page, place, children }: FrameProps): JSX.Element {
  const [isHelp, setHelp] = useState(false)
  useKeys({ '?': () => setHelp(true) })
  return (
    <>
      <a class="skip" href={location.hash} onClick={focusMain}>
        {WORDS.skip}
      </a>
      <header>
        <a class="title" href={linkTo('overview')}>
          {shown(overview?.title ?? 'Tasks')}
        </a>
        {overview?.environment ? <Environment name={overview.environment} /> : null}
        <nav aria-label="Pages">
          {PAGES.map((each) => (
            <a key={each} href={linkTo(each)} aria-current={each === page ? 'page' : undefined}>
              {WORDS.pages[each]}
            </a>
          ))}
        </nav>
        <Backends overview={overview} page={page} place={place} />
        <Connection isUnreadable={isUnreadable(overview, place)} />
        <button
          type="button"
          class="plain"
          aria-label={WORDS.keysTitle}
          onClick={() => setHelp(true)}
        >
          ?
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <Saying />
      {isHelp ? <Help close={() => setHelp(false)} /> : null}
    </>
  )
}

function focusMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('main')?.focus()
}

function Environment({ name }: { readonly name: string }): JSX.Element {
  return <span class={`badge ${/^prod/i.test(name) ? 'hot' : ''}`}>{shown(name)}</span>
}

type BackendsProps = Omit<FrameProps, 'children'>

function Backends({ overview, page, place }: BackendsProps): JSX.Element | null {
  if (!overview || overview.backends.length < 2) return null
  return (
    <select
      aria-label={WORDS.backend}
      value={place.filter.get('backend') ?? overview.backends[0]?.alias ?? ''}
      onChange={({ currentTarget: { value } }) =>
        goTo(`#/${page}?${new URLSearchParams({ backend: value }).toString()}`)
      }
    >
      {overview.backends.map(({ alias }) => (
        <option key={alias} value={alias}>
          {shown(alias)}
        </option>
      ))}
    </select>
  )
}

/** Whether the backend that is looked at cannot be read now; one that can never be is not away. */
function isUnreadable(overview: Overview | undefined, { filter }: Place): boolean {
  const { backends = [] } = overview ?? {}
  const backend = backends.find(({ alias }) => alias === filter.get('backend')) ?? backends[0]
  return backend?.problem ? backend.problem.code !== 'NOT_SUPPORTED' : false
}

function Connection({ isUnreadable: isBad }: { readonly isUnreadable: boolean }): JSX.Element {
  const mode = useMode()
  if (isBad && mode !== 'away')
    return (
      <span class="mode away" role="status" title={WORDS.unreadableTitle}>
        {WORDS.unreadable}
      </span>
    )
  return (
    <span class={`mode ${mode}`} role="status" title={WORDS.modeTitles[mode]}>
      {WORDS.modes[mode]}
    </span>
  )
}

/** What was done, or refused. */
function Saying(): JSX.Element {
  const [said, close] = useSaid()
  return (
    <div class="saying" role="status" aria-live="polite">
      {said ? (
        <div class={said.isBad ? 'said bad' : 'said'}>
          <div>
            {shown(said.text)}
            {said.link ? (
              <>
                {' '}
                <a href={said.link.href} onClick={close}>
                  {said.link.text}
                </a>
              </>
            ) : null}
            {said.details.map((line, i) => (
              <small key={i}>{shown(line)}</small>
            ))}
          </div>
          <button type="button" class="plain" aria-label={WORDS.close} onClick={close}>
            ×
          </button>
        </div>
      ) : null}
    </div>
  )
}
