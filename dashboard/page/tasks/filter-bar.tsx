import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { QueueView, State } from '../../api/wire'
import { useAround, useMay } from '../frame/context'
import { useKeys } from '../frame/keys'
import { linkTo } from '../frame/place'
import { count } from '../parts/format'
import { briefly, shown } from '../parts/shown'
import { STATE_WORDS, WORDS } from '../words'
import { type Filter, type NoFilter, chipOf, filterWritten, showFilter, withValue } from './filter'
import { Fields } from './fields'
import { Completions } from './completions'

const TABS = ['DUE', 'LATER', 'WAITING', 'RUNNING', 'FAILED', 'SUCCESSFUL'] as const
const COUNTED: Partial<Record<State, 'due' | 'later' | 'waiting' | 'running'>> = {
  DUE: 'due',
  LATER: 'later',
  WAITING: 'waiting',
  RUNNING: 'running',
}

/** What is written in the field, and is no part of the filter so far. */
export interface Draft {
  readonly text: string
  /** Why it was not applied. */
  readonly bad: NoFilter | null
}

export const NO_DRAFT: Draft = { text: '', bad: null }

/** A draft is of one filter: another one ends it. */
export function useDraft(filter: Filter): [Draft, (draft: Draft) => void] {
  const [draft, setDraft] = useState(NO_DRAFT)
  const key = JSON.stringify([...filter])
  useEffect(() => setDraft(NO_DRAFT), [key])
  return [draft, setDraft]
}

interface FilterBarProps {
  readonly filter: Filter
  readonly draft: Draft
  readonly write: (draft: Draft) => void
}

/** What is looked for: it is all in the address. */
export function FilterBar({ filter, draft, write }: FilterBarProps): JSX.Element {
  return (
    <search>
      <Tabs filter={filter} />
      <Written filter={filter} draft={draft} write={write} />
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

function Written({ filter, draft: { text, bad }, write }: FilterBarProps): JSX.Element {
  const field = useRef<HTMLInputElement>(null)
  const mayValues = useMay('values')
  useKeys({ '/': () => field.current?.focus() })
  const send = (event: Event): void => {
    event.preventDefault()
    const found = filterWritten(text, filter)
    if ('what' in found) return write({ text, bad: found })
    write(NO_DRAFT)
    showFilter(found)
  }
  return (
    <>
      <form class="written" onSubmit={send}>
        <input
          ref={field}
          type="search"
          aria-label={WORDS.filter}
          aria-invalid={bad !== null}
          placeholder={mayValues ? WORDS.filterPlaceholder : 'queue:mail  task:send'}
          value={text}
          autocomplete="off"
          spellcheck={false}
          list="written"
          onInput={({ currentTarget }) => write({ text: currentTarget.value, bad: null })}
        />
        <Completions id="written" text={text} />
        <button>{WORDS.search}</button>
        <Fields filter={filter} />
      </form>
      {bad ? (
        <p class="bad" role="alert">
          {shown(bad.what)} {shown(bad.hint)}
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
