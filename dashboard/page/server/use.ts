import { useEffect, useState } from 'preact/hooks'
import type { Problem } from '../../api/wire'
import { get, problemOf } from './api'
import { live, type Mode } from './live'

export interface Seen<T> {
  /** Undefined: not read so far. */
  readonly value: T | undefined
  readonly problem: Problem | undefined
}

/** What the server has under a path, kept up to date while the page is seen. */
export function useLive<T>(path: string): Seen<T> {
  const [, turn] = useState(0)
  useEffect(() => live.watch(path, () => turn((before) => before + 1)), [path])
  const { value, problem } = live.reading(path)
  return { value: value as T | undefined, problem }
}

export function useMode(): Mode {
  const [mode, setMode] = useState(live.mode)
  useEffect(() => live.follow(() => setMode(live.mode)), [])
  return mode
}

/** After a reading that failed, in ms. */
const AGAIN_MS = 5_000

/** The same for what is dear to read: each so many ms, and not while the page is hidden. */
export function useReadEach<T>(path: string, eachMs: number): Seen<T> {
  const [seen, setSeen] = useState<Seen<T> & { path: string }>(unread(path))
  useEffect(() => {
    const ended = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const read = async (): Promise<void> => {
      let pauseMs = eachMs
      if (!document.hidden)
        try {
          const value = await get<T>(path, ended.signal)
          if (!ended.signal.aborted) setSeen({ path, value, problem: undefined })
        } catch (error) {
          if (ended.signal.aborted) return
          const problem = problemOf(error)
          setSeen((before) => ({ ...(before.path === path ? before : unread(path)), problem }))
          pauseMs = Math.min(eachMs, AGAIN_MS)
        }
      if (!ended.signal.aborted) timer = setTimeout(() => void read(), pauseMs)
    }
    void read()
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [path, eachMs])
  return seen.path === path ? seen : unread(path)
}

function unread(path: string): Seen<never> & { path: string } {
  return { path, value: undefined, problem: undefined }
}

/** A text that time changes: looked at each second, shown anew only when it is another one. */
export function useTicking(textOf: () => string): string {
  const [, setText] = useState('')
  useEffect(() => {
    const tick = (): void => setText(textOf())
    ticking.add(tick)
    return () => void ticking.delete(tick)
  })
  return textOf()
}

const ticking = new Set<() => void>()
setInterval(() => {
  if (!document.hidden) for (const tick of ticking) tick()
}, 1_000)
