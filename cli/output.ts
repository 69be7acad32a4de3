import { inspect, stripVTControlCharacters } from 'node:util'
import { oneLine, visible, withoutPasswords } from '../lib/errors/foreign-text'
import { setLogger } from '../lib/events/logger'

let verbosity = 1

/** Sends log lines to stderr: none at level 0, debug lines at level 3. */
export function setVerbosity(level: number): void {
  verbosity = level
  const from = (least: number) => (message: string) =>
    level >= least ? writeTo(process.stderr, message) : undefined
  setLogger({ debug: from(3), info: from(1), warn: from(1), error: from(1) })
}

/** True if the verbosity is at least `level`. */
export function isWanted(level: number): boolean {
  return verbosity >= level
}

/** Prints a line of the command's result to stdout. */
export function print(line: string): void {
  writeTo(process.stdout, line)
}

/** Prints a message to stderr. */
export function tell(line: string): void {
  writeTo(process.stderr, line)
}

/** Prints an error and its fix; the stack trace only at `-v 3`. */
export function printError(error: unknown): void {
  // Compilers color their messages.
  tell(`error: ${stripVTControlCharacters(isWanted(3) ? stackOf(error) : described(error))}`)
}

/** Exits after all output is written, even if the app has open timers and connections. */
export function leave(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

/** Formats rows under a header in aligned columns. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) => row.map(oneLine))
  const widths = header.map((_, at) => Math.max(...lines.map((row) => row[at]?.length ?? 0)))
  return lines
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** A closed pipe (`| head`) is not an error. */
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

/** Terminals execute control characters, and show text in the order that other characters choose. */
function writeTo(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${visible(withoutPasswords(text))}\n`)
}

function described(error: unknown): string {
  if (!(error instanceof Error)) return `The thrown value is not an Error: ${inspect(error)}`
  return 'hint' in error
    ? error.message
    : `${error.name}: ${error.message} (-v 3 shows the stack trace.)`
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return described(error)
  const own = error.stack?.includes(error.message)
    ? error.stack
    : `${error.name}: ${error.message}\n${error.stack ?? ''}`
  return error.cause === undefined ? own : `${own}\nCaused by: ${stackOf(error.cause)}`
}
