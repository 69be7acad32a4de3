import { useLayoutEffect } from 'preact/hooks'
import { goTo, linkTo } from './place'

type Keys = Readonly<Record<string, () => void>>

const all = new Set<{ keys: Keys }>()
/** Time in ms for the key after `g`. */
const SECOND_KEY_MS = 1_500
let firstAt = 0

/** What keys do while a place is shown. Not in fields, and not under a dialog. */
export function useKeys(keys: Keys): void {
  // Before the next key can come: that one must find what this one has changed.
  useLayoutEffect(() => {
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
  if (isElsewhere(event)) return
  if (isField(target)) {
    if (key === 'Escape') target.blur()
    return
  }
  const isSecond = Date.now() - firstAt < SECOND_KEY_MS
  firstAt = key === 'g' ? Date.now() : 0
  const place = isSecond ? PLACES[key] : undefined
  const deed = place === undefined ? deedOf(key) : () => goTo(linkTo(place))
  if (!deed) return
  event.preventDefault()
  deed()
})

/** Keys of the browser, of a dialog, and Enter on what it opens by itself. */
function isElsewhere(event: KeyboardEvent): boolean {
  const { ctrlKey, metaKey, altKey, defaultPrevented, key, target } = event
  if (ctrlKey || metaKey || altKey || defaultPrevented) return true
  if (key === 'Enter' && target instanceof Element && target.matches('a, button, summary'))
    return true
  return document.querySelector('dialog[open]') !== null
}

function deedOf(key: string): (() => void) | undefined {
  for (const { keys } of all) if (Object.hasOwn(keys, key)) return keys[key]
  return undefined
}

function isField(target: EventTarget | null): target is HTMLElement {
  return (
    target instanceof HTMLElement && target.matches('input:not([type=checkbox]), select, textarea')
  )
}
