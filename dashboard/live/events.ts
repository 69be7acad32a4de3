import { UsageError } from '../../index'
import { clock, NoAnswer, OVER } from '../../lib/clock'
import { isRecord } from '../../lib/errors/option-checks'
import { isTold, problemOf, streamed } from '../api/answer'
import type { Asked } from '../api/asked'
import { partsOf } from '../api/paths'
import { name, parametersIn } from '../api/query'
import { readingOf } from '../api/reads'
import type { Told, ToldProblem } from '../api/wire'
import type { Looker, Looking, Sight } from './looker'

const MOST_PATHS = 5
/** Time in ms without an event after which a comment is sent, so that proxies keep the connection. */
const COMMENT_MS = 15_000
/** Time in ms after which the page has to ask anew: what somebody may see is decided when it asks. */
const LIFE_MS = 600_000

/**
 * Tells what paths of the API give, and then what has changed.
 *
 * @throws UsageError, Refused: as a GET of each path.
 */
export function eventsOf(asked: Asked, looker: Looker): Response {
  const { show = '' } = parametersIn(asked.search, { show: name(8_000) })
  const paths = [...new Set(show.split(' ').filter((path) => path !== ''))]
  if (paths.length === 0 || paths.length > MOST_PATHS)
    throw new UsageError(
      `show has ${paths.length} paths.`,
      `Give 1 to ${MOST_PATHS}, joined by a blank, such as show=overview+tasks.`,
    )
  const lookings = paths.map((path) => [path, lookingAt(asked, path)] as const)
  return streamed('text/event-stream; charset=utf-8', asked.page.closed, (gone) =>
    told(looker, lookings, gone),
  )
}

/** A tab that reads slowly gets of each path the latest alone. */
async function* told(
  looker: Looker,
  lookings: readonly (readonly [string, Looking])[],
  gone: AbortSignal,
): AsyncGenerator<string, void> {
  const pending = new Map<string, string>()
  let idle = new AbortController()
  const wake = (): void => idle.abort(OVER)
  gone.addEventListener('abort', wake)
  const ends = lookings.map(([path, looking]) =>
    looker.watch(looking, (text) => {
      pending.set(path, text)
      wake()
    }),
  )
  const endsAt = clock.now() + LIFE_MS
  try {
    yield ': typeorm-tasks\n\n'
    while (!gone.aborted && clock.now() < endsAt) {
      for (const [path, text] of pending) {
        pending.delete(path)
        yield text
      }
      idle = new AbortController()
      if (gone.aborted || pending.size > 0) continue
      await clock.sleep(COMMENT_MS, idle.signal)
      if (!idle.signal.aborted) yield ':\n\n'
    }
  } finally {
    gone.removeEventListener('abort', wake)
    for (const end of ends) end()
  }
}

function lookingAt({ access, page }: Asked, path: string): Looking {
  const [route = '', ...query] = path.split('?')
  const search = new URLSearchParams(query.join('?'))
  const read = readingOf(partsOf(route), { access, page, search })
  return {
    key: JSON.stringify([[...access].toSorted(), path]),
    look: async () => sightOf(path, await read()),
    failed: (error) => {
      if (!isTold(error) && !(error instanceof NoAnswer)) page.report(error)
      return problemAt(path, error)
    },
  }
}

function sightOf(path: string, value: unknown): Sight {
  // The time of the server is no news.
  const mark = JSON.stringify(isRecord(value) ? { ...value, now: null } : value)
  const said: Told = { path, value }
  return { text: event('value', said), mark, isProblem: false }
}

function problemAt(path: string, error: unknown): Sight {
  const problem =
    error instanceof NoAnswer ? { message: 'The database has not answered.' } : problemOf(error)
  const said: ToldProblem = { path, ...problem }
  const text = event('problem', said)
  return { text, mark: text, isProblem: true }
}

function event(name: 'value' | 'problem', data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
