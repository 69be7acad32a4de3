import type { Problem, Told, ToldProblem } from '../../api/wire'
import { ask, get, piecesOf, problemOf, Refused } from './api'
import { noteTime } from './time'

/** Time in ms for the first event of a stream: what takes longer is held back by a proxy. */
const FIRST_EVENT_MS = 3_000
/** The server sends a comment each 15 s. */
const SILENCE_MS = 40_000
const POLL_MS = 5_000
/** Readings before the stream is tried again. */
const POLLS = 12
/** Values of places left behind, so that coming back shows them at once. */
const MOST_KEPT = 20

export type Mode = 'starting' | 'live' | 'polling' | 'away'

export interface Reading {
  readonly value?: unknown
  /** Why the latest reading failed; `value` is of the one before. */
  readonly problem?: Problem | undefined
  /** The server will not give it, however often it is asked. */
  readonly isRefused?: boolean
}

/** What the page shows of the server, kept up to date by one stream, or by polling where that does not come through. */
class Live {
  readonly #readings = new Map<string, Reading>()
  readonly #watched = new Map<string, Set<() => void>>()
  readonly #followers = new Set<() => void>()
  #mode: Mode = 'starting'
  #run: AbortController | undefined
  #restart: ReturnType<typeof setTimeout> | undefined

  get mode(): Mode {
    return this.#mode
  }

  reading(path: string): Reading {
    return this.#readings.get(path) ?? NOTHING
  }

  watch(path: string, listener: () => void): () => void {
    const listeners = this.#watched.get(path) ?? new Set()
    this.#watched.set(path, listeners.add(listener))
    if (listeners.size === 1) this.#soon()
    return () => {
      listeners.delete(listener)
      if (listeners.size > 0 || this.#watched.get(path) !== listeners) return
      this.#watched.delete(path)
      this.#soon()
    }
  }

  /** Hears of changes of the mode. */
  follow(listener: () => void): () => void {
    this.#followers.add(listener)
    return () => void this.#followers.delete(listener)
  }

  async again(path: string): Promise<void> {
    await this.#read(path, new AbortController().signal)
  }

  /** Whatever is shown, and whether it is seen, has changed: several changes of one turn make one stream. */
  #soon(): void {
    clearTimeout(this.#restart)
    this.#restart = setTimeout(() => {
      this.#run?.abort()
      this.#run = new AbortController()
      if (!document.hidden && this.#watched.size > 0) void this.#keep(this.#run.signal)
    })
  }

  start(): void {
    document.addEventListener('visibilitychange', () => this.#soon())
    this.#soon()
  }

  async #keep(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#readAll(signal), pause(FIRST_EVENT_MS, signal)])
    while (!signal.aborted) {
      const paths = [...this.#watched.keys()].filter((path) => !this.reading(path).isRefused)
      if (paths.length > 0 && (await this.#listen(paths, signal))) await pause(500, signal)
      else await this.#poll(signal)
    }
  }

  /** Whether events came; until the stream ends. */
  async #listen(paths: readonly string[], signal: AbortSignal): Promise<boolean> {
    const over = new AbortController()
    const end = (): void => over.abort()
    signal.addEventListener('abort', end)
    let timer = setTimeout(end, FIRST_EVENT_MS)
    let isHeard = false
    try {
      const query = new URLSearchParams({ show: paths.join(' ') }).toString()
      const answer = await ask(`events?${query}`, { signal: over.signal })
      for await (const piece of piecesOf(answer, '\n\n')) {
        isHeard = this.#take(piece) || isHeard
        if (!isHeard) continue
        this.#become('live')
        clearTimeout(timer)
        timer = setTimeout(end, SILENCE_MS)
      }
    } catch {
      // The polling that comes next tells why.
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
    return isHeard
  }

  async #poll(signal: AbortSignal): Promise<void> {
    for (let polls = 0; polls < POLLS && !signal.aborted; polls++) {
      const wasAway = this.#mode === 'away'
      const isThere = await this.#readAll(signal)
      if (signal.aborted) return
      this.#become(isThere ? 'polling' : 'away')
      if (wasAway && isThere) return
      await pause(POLL_MS, signal)
    }
  }

  async #readAll(signal: AbortSignal): Promise<boolean> {
    const all = await Promise.all([...this.#watched.keys()].map((path) => this.#read(path, signal)))
    return !all.includes(false)
  }

  /** Whether the server was there. */
  async #read(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      const value = await get(path, signal)
      if (path === 'overview') noteTime(value)
      this.#set(path, { value })
      return true
    } catch (error) {
      if (signal.aborted) return true
      const status = error instanceof Refused ? error.status : 0
      const isRefused = status >= 400 && status < 500
      const { value } = isRefused ? NOTHING : this.reading(path)
      this.#set(path, { value, problem: problemOf(error), isRefused })
      return status > 0
    }
  }

  /** Whether it is an event; else a comment. */
  #take(piece: string): boolean {
    const [, event, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(piece) ?? []
    if (event === undefined) return false
    const told = JSON.parse(data) as Told & ToldProblem
    if (event === 'value') this.#set(told.path, { value: told.value })
    else this.#set(told.path, { value: this.reading(told.path).value, problem: told })
    return true
  }

  #set(path: string, reading: Reading): void {
    this.#readings.delete(path)
    this.#readings.set(path, reading)
    for (const kept of this.#readings.keys())
      if (this.#readings.size > MOST_KEPT && !this.#watched.has(kept)) this.#readings.delete(kept)
    for (const listener of this.#watched.get(path) ?? []) listener()
  }

  #become(mode: Mode): void {
    if (mode === this.#mode) return
    this.#mode = mode
    for (const listener of this.#followers) listener()
  }
}

const NOTHING: Reading = {}

export const live = new Live()

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done()
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      done()
    })
  })
}
