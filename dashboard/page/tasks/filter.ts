import { goTo, linkTo } from '../frame/place'
import { minute } from '../parts/format'
import { nearest } from '../parts/nearest'
import { shown } from '../parts/shown'
import { now } from '../server/time'
import { STATE_WORDS, WORDS } from '../words'

/** Which tasks are shown: names as the server takes them, in the order in which they were given. */
export type Filter = ReadonlyMap<string, string>

export const NAMES = ['state', 'queue', 'task', 'worker', 'error', 'from', 'to', 'text'] as const
export type Name = (typeof NAMES)[number]

/** What the address says. */
export function filterIn(search: URLSearchParams): Filter {
  return new Map([...search].filter(([name, value]) => value !== '' && isName(name)))
}

export function showFilter(filter: Filter): void {
  goTo(linkTo('tasks', filter))
}

/** Another filter with one value in it, or without it if that is empty. */
export function withValue(filter: Filter, name: string, value: string): Filter {
  const other = new Map(filter)
  if (value === '') other.delete(name)
  else other.set(name, value)
  return other
}

const TOKEN =
  /(?<!\S)(?:(state|queue|task|worker|error|from|to|text):|(args\.[^\s=]+)=)("[^"]*"|\S+)/g

/** A part of what was written that is no filter, and what to write. */
export interface NoFilter {
  readonly what: string
  readonly hint: string
}

/** What somebody has written, such as `queue:mail args.user.id=7 some words`. */
export function filterWritten(text: string, filter: Filter): Filter | NoFilter {
  const found = new Map(filter)
  for (const [all, name = '', path, quoted = ''] of text.matchAll(TOKEN)) {
    const value = valueOf(name, quoted.replace(/^"(.*)"$/, '$1'))
    if (value === null) return noValue(name, all)
    found.set(path ?? name, value)
  }
  const rest = text.replace(TOKEN, ' ').trim().replaceAll(/\s+/g, ' ')
  const stranger = /(?<!\S)\w+:(?!\/)\S+/.exec(rest)?.[0]
  if (stranger !== undefined) return noFilter(stranger)
  return rest === '' ? found : found.set('text', rest)
}

function noFilter(text: string): NoFilter {
  const [name = '', ...value] = text.split(':')
  const near = nearest(name, NAMES)
  const hint =
    near === undefined ? WORDS.filters(NAMES) : WORDS.didYouMean(`${near}:${value.join(':')}`)
  return { what: WORDS.badFilter(text), hint }
}

function noValue(name: string, text: string): NoFilter {
  if (name !== 'state') return { what: WORDS.badTime(text), hint: WORDS.times }
  const states = Object.values(STATE_WORDS)
  const near = nearest(text.replace(/^state:/, ''), states)
  const hint = near === undefined ? WORDS.states(states) : WORDS.didYouMean(`state:${near}`)
  return { what: WORDS.badState(text), hint }
}

/** As the server takes it; null: it is nothing of that name. */
function valueOf(name: string, value: string): string | null {
  if (name === 'state') {
    const state = value.toUpperCase()
    return Object.hasOwn(STATE_WORDS, state) ? state : null
  }
  return name === 'from' || name === 'to' ? instantOf(value) : value
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `2h`: that long ago; else an instant in the time of the browser. */
function instantOf(value: string): string | null {
  const [, number, unit = ''] = /^(\d{1,5})([mhd])/.exec(value) ?? []
  const ms = number ? now() - Number(number) * (UNITS[unit] ?? 0) : Date.parse(value)
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}

/** What is written on the chip of a part. */
export function chipOf(name: string, value: string): string {
  if (name === 'from' || name === 'to') return `${name} ${minute(value)}`
  return shown(name.startsWith('args.') ? `${name} = ${value}` : `${name}: ${value}`)
}

function isName(name: string): boolean {
  return (NAMES as readonly string[]).includes(name) || name.startsWith('args.')
}
