import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const BIN = join(__dirname, '../../dist/cli/index.js')

const ESCAPE = String.fromCodePoint(27)
/** Controls with their counts and code, line ends, and characters. */
const PARTS = new RegExp(`${ESCAPE}\\[(\\??[\\d;]*)([A-Za-z])|\\r|\\n|[^${ESCAPE}]`, 'gu')
/** A control of which the rest comes with the next part. */
const UNFINISHED = new RegExp(`${ESCAPE}(\\[[?\\d;]*)?$`)

export interface TerminalWish {
  readonly columns?: number
  readonly env?: NodeJS.ProcessEnv
  /** Seconds after which it gets the signal of Ctrl+C. */
  readonly interruptAfter?: number
}

/** What a command writes to a terminal: `script` of util-linux gives it a real one. */
export async function inTerminal(
  cwd: string,
  args: readonly string[],
  { columns = 80, env = {}, interruptAfter }: TerminalWish = {},
): Promise<{ code: number | null; text: string; screen: Screen }> {
  const command = [process.execPath, BIN, ...args].map((each) => `'${each}'`).join(' ')
  const interrupted =
    interruptAfter === undefined
      ? ''
      : `timeout --foreground --preserve-status -s INT ${interruptAfter} `
  const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = process.env
  const child = spawn(
    'script',
    ['-qec', `stty cols ${columns} rows 30 -echo; ${interrupted}${command}`, '/dev/null'],
    { cwd, env: { ...rest, TERM: 'xterm-256color', ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const screen = new Screen(columns)
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
    screen.write(part)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, text, screen }
}

/** The lines of a text that moves no cursor, without colours. */
export function linesOf(text: string): string[] {
  return stripVTControlCharacters(text).trimEnd().split('\r\n')
}

/** A terminal that knows what progress bars use: moves of the cursor, and clearing. */
export class Screen {
  readonly rows: string[][] = [[]]
  /** Lines that were too long. */
  readonly broken: string[] = []
  /** The screen after each part that was written. */
  readonly states: string[] = []
  readonly #columns: number
  #row = 0
  #column = 0
  #rest = ''

  constructor(columns: number) {
    this.#columns = columns
  }

  get text(): string {
    return this.rows.map((row) => Array.from(row, (cell) => cell ?? ' ').join('')).join('\n')
  }

  write(part: string): void {
    const text = this.#rest + part
    const unfinished = UNFINISHED.exec(text)?.[0] ?? ''
    this.#rest = unfinished
    for (const [all, count = '', code] of text
      .slice(0, text.length - unfinished.length)
      .matchAll(PARTS))
      if (code !== undefined) this.#control(code, Number(count) || 0, count)
      else this.#put(all)
    this.states.push(this.text)
  }

  #put(char: string): void {
    if (char === '\r') this.#column = 0
    else if (char === '\n') this.#goTo(this.#row + 1)
    else {
      if (this.#column >= this.#columns) {
        this.broken.push(this.rows[this.#row]!.join(''))
        this.#goTo(this.#row + 1)
        this.#column = 0
      }
      this.rows[this.#row]![this.#column++] = char
      if (/[\u2e80-\ua4cf\uac00-\ud7a3\uff01-\uff60]/.test(char))
        this.rows[this.#row]![this.#column++] = ''
    }
  }

  #control(code: string, count: number, written: string): void {
    const row = this.rows[this.#row]!
    if (code === 'A') this.#goTo(Math.max(0, this.#row - (count || 1)))
    else if (code === 'B') this.#goTo(this.#row + (count || 1))
    else if (code === 'G') this.#column = Math.max(0, count - 1)
    else if (code === 'K') row.splice(count === 2 ? 0 : this.#column)
    else if (code === 'J') {
      row.splice(this.#column)
      this.rows.splice(this.#row + 1)
    } else if (!'mhl'.includes(code)) throw new Error(`unknown control: ${written}${code}`)
  }

  #goTo(row: number): void {
    this.#row = row
    while (this.rows.length <= row) this.rows.push([])
  }
}
