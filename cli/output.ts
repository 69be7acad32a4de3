import { inspect } from 'node:util'
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
  tell(`error: ${isWanted(3) ? stackOf(error) : described(error)}`)
}

/** Exits after all output is written, even if the app has open timers and connections. */
export function leave(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

// oxlint-disable-next-line no-control-regex -- matches control characters on purpose
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g

/** Escapes control characters in foreign text, because terminals execute them; line breaks and tabs stay. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Formats rows under a header in aligned columns. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) =>
    row.map((cell) => printable(cell).replaceAll('\n', '\\n')),
  )
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

function writeTo(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${withoutPasswords(line)}\n`)
}

/** Drivers print connection URLs in their errors. */
function withoutPasswords(line: string): string {
  return line.replace(/(\w:\/\/[^\s:@/]*:)[^\s@]+@/g, '$1***@')
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
