import type { JSX } from 'preact'
import { useAround } from '../frame/context'
import { shown } from '../parts/shown'
import { STATE_WORDS } from '../words'
import { NAMES } from './filter'
import { knownNames } from './known'

const MOST_OFFERED = 20

interface CompletionsProps {
  readonly id: string
  /** What is written so far: its last word is completed. */
  readonly text: string
}

/** What the page knows that the last word may become. */
export function Completions({ id, text }: CompletionsProps): JSX.Element {
  const { queues } = useAround().backend
  const [, before = '', word = ''] = /^(.*?)(\S*)$/s.exec(text) ?? []
  // Browsers show those alone that contain all that is written.
  const isLike = (each: string): boolean =>
    before === '' ? each.includes(word) : each.startsWith(word)
  const all = word === '' ? [] : wordsFor(queues?.map(({ name }) => name) ?? [])
  const offered = all.filter((each) => isLike(each) && each !== word)
  return (
    <datalist id={id}>
      {offered.slice(0, MOST_OFFERED).map((each) => (
        <option key={each} value={before + each} label={shown(each)} />
      ))}
    </datalist>
  )
}

function wordsFor(queues: readonly string[]): readonly string[] {
  return [
    ...NAMES.map((name) => `${name}:`),
    ...Object.values(STATE_WORDS).map((state) => `state:${state}`),
    ...queues.map((name) => `queue:${quoted(name)}`),
    ...knownNames().map((name) => `task:${quoted(name)}`),
  ]
}

function quoted(name: string): string {
  return /\s/.test(name) ? `"${name}"` : name
}
