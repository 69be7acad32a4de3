import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { QueueView, State } from '../../api/wire'
import { useAround, useMay } from '../frame/context'
import { useKeys } from '../frame/keys'
import { linkTo } from '../frame/place'
import { count } from '../parts/format'
import { briefly } from '../parts/shown'
import { STATE_WORDS, WORDS } from '../words'
import { chipOf, type Filter, filterWritten, showFilter, withValue } from './filter'
import { Fields } from './fields'

const TABS = ['DUE', 'LATER', 'WAITING', 'RUNNING', 'FAILED', 'SUCCESSFUL'] as const
const COUNTED: Partial<Record<State, 'due' | 'later' | 'waiting' | 'running'>> = {
  DUE: 'due',
  LATER: 'later',
  WAITING: 'waiting',
  RUNNING: 'running',
}

/** What is looked for: it is all in the address. */
export function FilterBar({ filter }: { readonly filter: Filter }): JSX.Element {
  return (
    <search>
      <Tabs filter={filter} />
      <Written filter={filter} />
      <Chips filter={filter} />
    </search>
  )
}

function Tabs({ filter }: { readonly filter: Filter }): JSX.Element {
  const { queues } = useAround().backend
  const chosen = filter.get('state') ?? ''
  const queue = filter.get('queue')
  const tab = (state: State | '', label: string): JSX.Element => (
    <a
      key={state}
      class={`tab ${state}`}
      href={linkTo('tasks', withValue(filter, 'state', state))}
      aria-current={chosen === state ? 'true' : undefined}
    >
      {label} {state === '' ? null : <Count state={state} queues={queues} queue={queue} />}
    </a>
  )
  return (
    <nav class="tabs" aria-label="States">
      {tab('', WORDS.all)}
      {TABS.map((state) => tab(state, STATE_WORDS[state]))}
    </nav>
  )
}

interface CountProps {
  readonly state: State
  readonly queues: readonly QueueView[] | null
  readonly queue: string | undefined
}

/** Of those that are not finished alone: the others are not counted, for there may be millions. */
function Count({ state, queues, queue }: CountProps): JSX.Element | null {
  const name = COUNTED[state]
  if (!name || !queues) return null
  const of = queues.filter((each) => queue === undefined || each.name === queue)
  return <b>{count(of.reduce((sum, each) => sum + each[name], 0))}</b>
}

function Written({ filter }: { readonly filter: Filter }): JSX.Element {
  const field = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [bad, setBad] = useState('')
  const mayValues = useMay('values')
  useKeys({ '/': () => field.current?.focus() })
  const send = (event: Event): void => {
    event.preventDefault()
    const found = filterWritten(text, filter)
    if (typeof found === 'string') return setBad(found)
    setBad('')
    setText('')
    showFilter(found)
  }
  return (
    <>
      <form class="written" onSubmit={send}>
        <input
          ref={field}
          type="search"
          aria-label={WORDS.filter}
          aria-invalid={bad !== ''}
          placeholder={mayValues ? WORDS.filterPlaceholder : 'queue:mail  task:send'}
          value={text}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value)
            setBad('')
          }}
        />
        <button>{WORDS.search}</button>
        <Fields filter={filter} />
      </form>
      {bad ? (
        <p class="bad" role="alert">
          {WORDS.badFilter(bad)}
        </p>
      ) : null}
    </>
  )
}

function Chips({ filter }: { readonly filter: Filter }): JSX.Element | null {
  const parts = [...filter].filter(([name]) => name !== 'state')
  if (parts.length === 0) return null
  return (
    <p class="chips">
      {parts.map(([name, value]) => (
        <button
          key={name}
          type="button"
          class="chip"
          aria-label={WORDS.removeFilter(chipOf(name, value))}
          onClick={() => showFilter(withValue(filter, name, ''))}
        >
          {briefly(chipOf(name, value), 50)} <span aria-hidden="true">×</span>
        </button>
      ))}
      <a href={linkTo('tasks')}>{WORDS.clear}</a>
    </p>
  )
}
