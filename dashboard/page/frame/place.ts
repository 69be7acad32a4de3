import { useEffect, useState } from 'preact/hooks'

/** Where in the page somebody is: the part of the address after `#/`. It can be shared, and needs nothing of the server. */
export interface Place {
  readonly path: readonly string[]
  readonly filter: URLSearchParams
}

export function usePlace(): Place {
  const [place, setPlace] = useState(placeOf)
  useEffect(() => {
    const change = (): void => setPlace(placeOf())
    addEventListener('hashchange', change)
    return () => removeEventListener('hashchange', change)
  }, [])
  return place
}

export function placeOf(): Place {
  return placeIn(location.hash)
}

let left: Place = placeIn('')
addEventListener('hashchange', ({ oldURL }) => {
  left = placeIn(new URL(oldURL).hash)
})

function placeIn(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  return {
    path: path.split('/').filter(Boolean).map(decoded),
    filter: new URLSearchParams(search),
  }
}

/** A link to a place of the page, in the backend that is looked at. */
export function linkTo(path: string, filter: Iterable<readonly [string, string]> = []): string {
  const given = [...filter].filter(([name, value]) => value !== '' && name !== 'backend')
  const backend = placeOf().filter.get('backend')
  if (backend) given.push(['backend', backend])
  const search = new URLSearchParams(given.map(([name, value]) => [name, value])).toString()
  return `#/${path}${search && `?${search}`}`
}

let list: URLSearchParams | null = null

/** Remembers the list to come back to, by its part of the address: the address itself may be another one already. */
export function noteList(search: URLSearchParams): void {
  list = search
}

/** The list of tasks as it was left, unless that was of another backend. */
export function linkToList(): string {
  const backend = placeOf().filter.get('backend')
  return linkTo('tasks', list?.get('backend') === backend ? (list ?? []) : [])
}

/** The task that was shown before this place; null: another place was. */
export function taskLeft(): string | null {
  const [page, id] = left.path
  return page === 'tasks' ? (id ?? null) : null
}

export function goTo(link: string): void {
  location.hash = link
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
