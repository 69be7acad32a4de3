import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useAround, useMay } from '../frame/context'
import { shown } from '../parts/shown'
import { WORDS } from '../words'
import { type Filter, type Name, showFilter } from './filter'
import { knownNames } from './known'

const TEXTS = [
  ['queue', 'Queue', 'mail'],
  ['task', 'Task', 'app.mail.send'],
  ['worker', 'Worker', ''],
  ['error', 'Class of the error', 'TimeoutError'],
] as const satisfies readonly (readonly [Name, string, string])[]
const TIMES = [
  ['from', 'Enqueued from'],
  ['to', 'Enqueued before'],
] as const satisfies readonly (readonly [Name, string])[]

/** The parts of a filter as fields, for those who know none of the names. */
export function Fields({ filter }: { readonly filter: Filter }): JSX.Element {
  const details = useRef<HTMLDetailsElement>(null)
  const { queues } = useAround().backend
  const mayValues = useMay('values')
  const apply = (): void => {
    if (!details.current) return
    showFilter(filterIn(details.current, filter))
    details.current.open = false
  }
  useClosing(details)
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && details.current) details.current.open = false
    if (event.key !== 'Enter' || !(event.target instanceof HTMLInputElement)) return
    event.preventDefault()
    apply()
  }
  return (
    <details
      ref={details}
      class="fields"
      onKeyDown={onKey}
      onToggle={() => details.current?.open || forget(details.current)}
      key={[...filter].join()}
    >
      <summary>{WORDS.moreFilters}</summary>
      <div>
        {TEXTS.map(([name, label, example]) => (
          <Field key={name} label={label}>
            <input
              data-name={name}
              list={name === 'queue' || name === 'task' ? `${name}s` : undefined}
              placeholder={example}
              defaultValue={filter.get(name) ?? ''}
            />
          </Field>
        ))}
        <Names id="queues" names={queues?.map(({ name }) => name) ?? []} />
        <Names id="tasks" names={knownNames()} />
        {TIMES.map(([name, label]) => (
          <Field key={name} label={label}>
            <input type="datetime-local" data-name={name} defaultValue={local(filter.get(name))} />
          </Field>
        ))}
        {mayValues ? <Values filter={filter} /> : null}
        <button type="button" onClick={apply}>
          {WORDS.addFilter}
        </button>
      </div>
    </details>
  )
}

function Names({ id, names }: { id: string; names: readonly string[] }): JSX.Element {
  return (
    <datalist id={id}>
      {names.map((name) => (
        <option key={name} value={name} label={shown(name)} />
      ))}
    </datalist>
  )
}

/** Closes what is open as soon as somebody points elsewhere. */
function useClosing(details: { readonly current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const close = ({ target }: Event): void => {
      if (details.current && target instanceof Node && !details.current.contains(target))
        details.current.open = false
    }
    addEventListener('pointerdown', close)
    return () => removeEventListener('pointerdown', close)
  }, [])
}

function Values({ filter }: { readonly filter: Filter }): JSX.Element {
  return (
    <>
      <Field label="Text in arguments, name or error">
        <input data-name="text" defaultValue={filter.get('text') ?? ''} />
      </Field>
      <Field label="Argument: its place, and its value">
        <span class="joined">
          <input data-path placeholder="0.user.id" aria-label="Place" />
          <input data-value placeholder="7" aria-label="Value" />
        </span>
      </Field>
    </>
  )
}

function Field({ label, children }: { label: string; children: JSX.Element }): JSX.Element {
  return (
    <label>
      {label}
      {children}
    </label>
  )
}

/** What was written, but not applied, is in no list: who opens the fields again finds what the list shows. */
function forget(fields: HTMLElement | null): void {
  for (const input of fields?.querySelectorAll('input') ?? []) input.value = input.defaultValue
}

/** What stands in the fields, beside what of the filter has none. */
function filterIn(fields: HTMLElement, filter: Filter): Filter {
  const found = new Map(filter)
  for (const input of fields.querySelectorAll<HTMLInputElement>('input[data-name]')) {
    // An untouched time keeps its seconds.
    if (input.value !== input.defaultValue) found.set(input.dataset['name'] ?? '', textOf(input))
  }
  const path = fields.querySelector<HTMLInputElement>('input[data-path]')?.value.trim()
  const value = fields.querySelector<HTMLInputElement>('input[data-value]')?.value
  if (path && value) found.set(`args.${path}`, value)
  return new Map([...found].filter(([, text]) => text !== ''))
}

function textOf({ value, type }: HTMLInputElement): string {
  return type === 'datetime-local' && value !== '' ? new Date(value).toISOString() : value
}

/** An instant as such a field has it, in the time of the browser. */
function local(instant: string | undefined): string {
  if (instant === undefined) return ''
  const at = new Date(instant)
  const ms = at.getTime() - at.getTimezoneOffset() * 60_000
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 16)
}
