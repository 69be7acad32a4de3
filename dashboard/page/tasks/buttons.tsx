import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Confirm } from '../parts/dialog'
import { WORDS } from '../words'
import type { Change } from './changes'

interface ButtonsProps {
  readonly changes: readonly Change[]
  /** How many tasks they change; null: it is asked elsewhere whether to. */
  readonly count: number | null
  readonly make: (change: Change, priority?: number) => void
}

/** A button for each change; some ask first. */
export function Buttons({ changes, count, make }: ButtonsProps): JSX.Element {
  const [asked, setAsked] = useState<Change | null>(null)
  return (
    <>
      {changes.map((change) =>
        change.name === 'prioritise' ? (
          <Priority key={change.name} make={(priority) => make(change, priority)} />
        ) : (
          <button
            key={change.name}
            type="button"
            class={change.name === 'delete' ? 'danger' : undefined}
            onClick={() => (change.ask && count !== null ? setAsked(change) : make(change))}
          >
            {change.label}
          </button>
        ),
      )}
      {asked ? (
        <Confirm
          title={asked.ask?.(count ?? 0) ?? ''}
          label={asked.label}
          isGrave={asked.name !== 'copy'}
          yes={() => make(asked)}
          close={() => setAsked(null)}
        />
      ) : null}
    </>
  )
}

function Priority({ make }: { readonly make: (priority: number) => void }): JSX.Element {
  const [value, setValue] = useState('')
  const send = (event: Event): void => {
    event.preventDefault()
    if (value !== '') make(Number(value))
  }
  return (
    <form class="joined" onSubmit={send}>
      <input
        type="number"
        min="-100"
        max="100"
        required
        placeholder="number"
        title={WORDS.priorities}
        aria-label={WORDS.priorities}
        value={value}
        onInput={({ currentTarget }) => setValue(currentTarget.value)}
      />
      <button>{WORDS.setPriority}</button>
    </form>
  )
}
