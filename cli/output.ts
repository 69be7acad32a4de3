import { inspect } from 'node:util'
import { setLogger } from '../lib/events/logger'

let verbosity = 1

/** Log lines go to stderr: none at 0, debugging at 3. */
export function setVerbosity(level: number): void {
  verbosity = level
  const from = (least: number) => (message: string) =>
    level >= least ? writeTo(process.stderr, message) : undefined
  setLogger({ debug: from(3), info: from(1), warn: from(1), error: from(1) })
}

/** Whether output for that level is wanted. */
export function isWanted(level: number): boolean {
  return verbosity >= level
}

/** A line of what the command was asked for, on stdout. */
export function print(line: string): void {
  writeTo(process.stdout, line)
}

/** A line for the person in front of the terminal, on stderr. */
export function tell(line: string): void {
  writeTo(process.stderr, line)
}

/** What went wrong and its mend; where it was thrown only at `-v 3`. */
export function printError(error: unknown): void {
  tell(`error: ${isWanted(3) ? stackOf(error) : described(error)}`)
}

/** Ends the process once all that was written is out; timers and connections of the app do not keep it. */
export function leave(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g

/** Text that somebody else wrote, without what a terminal would obey; lines and tabs stay. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Rows under a header, in aligned columns. */
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

/** A reader that has gone (`| head`) is no failure of ours. */
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

function writeTo(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${withoutPasswords(line)}\n`)
}

/** Drivers quote connection URLs in their errors. */
function withoutPasswords(line: string): string {
  return line.replace(/(\w:\/\/[^\s:@/]*:)[^\s@]+@/g, '$1***@')
}

function described(error: unknown): string {
  if (!(error instanceof Error))
    return `Something other than an error was thrown: ${inspect(error)}`
  return 'mend' in error
    ? error.message
    : `${error.name}: ${error.message} (-v 3 shows where it was thrown.)`
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return described(error)
  const own = error.stack?.includes(error.message)
    ? error.stack
    : `${error.name}: ${error.message}\n${error.stack ?? ''}`
  return error.cause === undefined ? own : `${own}\nCaused by: ${stackOf(error.cause)}`
}
