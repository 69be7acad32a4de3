import { useEffect, useState } from 'preact/hooks'
import { get } from './api'

/** Time in ms between two readings of a page that is looked at. */
const EACH_MS = 2_000

export interface Live<T> {
  readonly value: T | undefined
  /** Why the latest reading failed; the value is that of the one before. */
  readonly error: string | undefined
  readonly again: () => void
}

/** What the server has under a path, read again and again while the page is seen. */
export function useLive<T>(path: string): Live<T> {
  const [state, setState] = useState<{ path: string; value?: T; error?: string }>({ path })
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const ended = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const read = async (): Promise<void> => {
      if (!document.hidden)
        try {
          const value = await get<T>(path, ended.signal)
          setState({ path, value })
        } catch (error) {
          if (ended.signal.aborted) return
          const message = error instanceof Error ? error.message : String(error)
          setState((before) => ({ ...(before.path === path ? before : { path }), error: message }))
        }
      if (!ended.signal.aborted) timer = setTimeout(() => void read(), EACH_MS)
    }
    void read()
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [path, turn])
  const { value, error } = state.path === path ? state : {}
  return { value, error, again: () => setTurn((before) => before + 1) }
}
