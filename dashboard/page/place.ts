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

export function linkTo(path: string, filter: Readonly<Record<string, string>> = {}): string {
  const given = Object.entries(filter).filter(([, value]) => value !== '')
  const search = new URLSearchParams(given).toString()
  return `#/${path}${search && `?${search}`}`
}

function placeOf(): Place {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?')
  return { path: path.split('/').filter(Boolean), filter: new URLSearchParams(search) }
}
