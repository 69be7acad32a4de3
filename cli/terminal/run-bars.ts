import { MultiBar, type SingleBar } from 'cli-progress'
import { oneLine } from '../../lib/errors/foreign-text'
import type { Watch, WatchedRun } from '../../lib/worker/chores/watching'
import { takeLines } from './above-bars'
import { barOf } from './bar'
import { elapsed, portionOf } from './portion'
import { columnsOf, cutTo, fitTo } from './width'

const MOST_BARS = 15
const NAME_COLUMNS = 20
/** The last digits of an id: the first ones are those of the time. */
const ID_DIGITS = 8
const BAR_COLUMNS = 16
const PORTION_COLUMNS = 13
const ELAPSED_COLUMNS = 6
/** Clears the bars, which are drawn again below. Not the end of each line: where a line is as wide as the terminal, that clears its last character. */
const CLEAR_BELOW = '\u001b[J'

/** Draws a bar for each run on stderr, a terminal; what is written meanwhile appears above them. */
export function runBars(): Watch {
  let bars: Bars | undefined
  process.once('exit', () => bars?.clear())
  return (runs) => {
    if (runs.length > 0) (bars ??= new Bars()).show(linesOf(runs))
    else {
      bars?.clear()
      bars = undefined
    }
  }
}

/** The bars at the bottom of the terminal, while there are any. */
class Bars {
  readonly #multi: MultiBar
  readonly #bars: SingleBar[] = []
  readonly #giveBack: (() => void)[]

  constructor() {
    const { stderr, stdout } = process
    const write = stderr.write.bind(stderr)
    this.#multi = new MultiBar({
      stream: Object.create(stderr, { write: { value: write } }) as NodeJS.WriteStream,
      format: (_options, _params, { line }: { line: string }) => line,
      clearOnComplete: true,
      forceRedraw: true,
      linewrap: true,
      // Signals are the worker's own matter.
      gracefulExit: false,
    })
    const above = (lines: readonly string[]): void => {
      this.#multi.log(`${CLEAR_BELOW}${lines.join('\n')}\n`)
      this.#multi.update()
    }
    const terminals = [stdout, stderr].filter(({ isTTY }) => isTTY)
    this.#giveBack = terminals.map((stream) => takeLines(stream, above))
  }

  show(lines: readonly string[]): void {
    for (const [at, line] of lines.entries()) {
      const bar = this.#bars[at]
      if (bar) bar.update(0, { line })
      else this.#bars.push(this.#multi.create(1, 0, { line }))
    }
    for (const bar of this.#bars.splice(lines.length)) this.#multi.remove(bar)
    this.#multi.update()
  }

  clear(): void {
    this.#multi.stop()
    for (const giveBack of this.#giveBack) giveBack()
  }
}

/** One line for each run, as many as there is room for. */
function linesOf(runs: readonly WatchedRun[]): string[] {
  const columns = columnsOf(process.stderr) - 1
  const room = Math.max(1, Math.min(MOST_BARS, (process.stderr.rows || 24) - 4))
  const shown = runs.slice(0, room).map((run) => lineOf(run, columns))
  const more = runs.length - shown.length
  return more > 0 ? [...shown, `and ${more} more`] : shown
}

function lineOf({ id, taskName, ms, progress }: WatchedRun, columns: number): string {
  return cutTo(
    columns,
    [
      fitTo(NAME_COLUMNS, oneLine(taskName)),
      id.slice(-ID_DIGITS),
      barOf(progress, BAR_COLUMNS),
      fitTo(PORTION_COLUMNS, portionOf(progress)),
      fitTo(ELAPSED_COLUMNS, elapsed(ms)),
      oneLine(progress.note ?? ''),
    ]
      .join(' ')
      .trimEnd(),
  )
}
