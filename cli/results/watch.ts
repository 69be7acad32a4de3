import { setTimeout as sleep } from 'node:timers/promises'
import { briefName } from '../../lib/errors/suggestions'
import { headline } from '../../lib/errors/error-record'
import type { TaskResult } from '../../lib/result'
import { print, printMarked } from '../output'
import { barOf } from '../terminal/bar'
import { isColoured } from '../terminal/colour'
import { type Column, fittedTable, type TableRow } from '../terminal/fitted-table'
import { portionOf } from '../terminal/portion'
import { columnsOf } from '../terminal/width'
import { asJson, durationOf, rowOf } from './format'

type Result = TaskResult<unknown>

/** Shows the results of one look. */
type Show = (results: readonly Result[]) => void

const PAUSE_MS = 1_000
const BAR_COLUMNS = 12
/** The last digits of an id: the first ones are those of the time. */
const ID_DIGITS = 8
/** Rows of a terminal that does not tell its height. */
const USUAL_ROWS = 24
/** Of bars a watcher wants as much as has room, so whole ids are left to the list. */
const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'status' },
  { title: 'task', least: 16 },
  { title: 'queue', rank: 1 },
  { title: 'attempts', rank: 2 },
  { title: 'progress', rank: 4 },
  { title: 'duration', rank: 3 },
]
const CLEAR_BELOW = '\u001b[J'

/** Looks once a second until Ctrl+C or SIGTERM, at which it resolves to the exit code. */
export async function watchResults(
  look: () => Promise<readonly Result[]>,
  { json, empty }: { readonly json: boolean; readonly empty: string },
): Promise<number> {
  const over = new AbortController()
  const end = (): void => over.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  const show = showing(json, empty)
  while (!over.signal.aborted) {
    show(await look())
    await sleep(PAUSE_MS, undefined, { signal: over.signal }).catch(() => {})
  }
  return 0
}

function showing(json: boolean, empty: string): Show {
  if (json) return changes((result) => JSON.stringify(asJson(result)))
  const isTerminal = process.stdout.isTTY && process.env['TERM'] !== 'dumb'
  return isTerminal ? redrawn(empty) : changes(lineOf)
}

/** Draws the table over the one before. */
function redrawn(empty: string): Show {
  let drawn = 0
  return (results) => {
    const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
    const table = results.length === 0 ? empty : fittedTable(COLUMNS, results.map(barRow), look)
    // What has left the screen at its top cannot be drawn again.
    const lines = table.split('\n').slice(0, Math.max(1, (process.stdout.rows || USUAL_ROWS) - 1))
    const back = drawn > 0 ? `\u001b[${drawn}A\r` : ''
    printMarked(`${back}${CLEAR_BELOW}${lines.join('\n')}`)
    drawn = lines.length
  }
}

/** Writes a line for each result that has changed, the oldest first. */
function changes(textOf: (result: Result) => string): Show {
  let told = new Map<string, string>()
  return (results) => {
    const next = new Map<string, string>()
    for (const result of results.toReversed()) {
      const text = textOf(result)
      next.set(result.id, text)
      if (told.get(result.id) !== text) print(text)
    }
    told = next
  }
}

function lineOf(result: Result): string {
  const { id, taskName, status, isWaiting, progress, errors } = result
  const note = progress?.note ? ` note=${progress.note}` : ''
  const error = status === 'FAILED' ? ` error=${headline(errors.at(-1)) ?? ''}` : ''
  const state = isWaiting ? 'waiting' : status
  const portion = progress === null ? '' : ` progress=${portionOf(progress)}`
  return `Task id=${id} path=${briefName(taskName)} state=${state}${portion}${note}${error}`
}

function barRow(result: Result): TableRow {
  const { id, taskName, queueName, attempts, progress } = result
  const { cells, details, style } = rowOf(result)
  const bar = progress === null ? '' : `${barOf(progress, BAR_COLUMNS)} ${portionOf(progress)}`
  const status = cells[1] ?? ''
  return {
    cells: [
      id.slice(-ID_DIGITS),
      status,
      taskName,
      queueName,
      String(attempts),
      bar,
      durationOf(result),
    ],
    details,
    ...(style && { style }),
  }
}
