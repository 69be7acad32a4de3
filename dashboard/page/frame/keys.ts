import { useEffect } from 'preact/hooks'
import { goTo, linkTo } from './place'

type Keys = Readonly<Record<string, () => void>>

const all = new Set<{ keys: Keys }>()
/** Time in ms for the key after `g`. */
const SECOND_KEY_MS = 1_500
let firstAt = 0

/** What keys do while a place is shown. Not in fields, and not under a dialog. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    const entry = { keys }
    all.add(entry)
    return () => void all.delete(entry)
  })
}

const PLACES: Readonly<Record<string, string>> = {
  o: 'overview',
  t: 'tasks',
  q: 'queues',
  w: 'workers',
  s: 'schedules',
}

addEventListener('keydown', (event) => {
  const { key, target } = event
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  if (document.querySelector('dialog[open]')) return
  if (isField(target)) {
    if (key === 'Escape') target.blur()
    return
  }
  if (key === 'Enter' && target instanceof Element && target.matches('a, button, summary')) return
  const isSecond = Date.now() - firstAt < SECOND_KEY_MS
  firstAt = key === 'g' ? Date.now() : 0
  const place = isSecond ? PLACES[key] : undefined
  const deed = place === undefined ? deedOf(key) : () => goTo(linkTo(place))
  if (!deed) return
  event.preventDefault()
  deed()
})

function deedOf(key: string): (() => void) | undefined {
  for (const { keys } of all) if (Object.hasOwn(keys, key)) return keys[key]
  return undefined
}

function isField(target: EventTarget | null): target is HTMLElement {
  return (
    target instanceof HTMLElement && target.matches('input:not([type=checkbox]), select, textarea')
  )
}
