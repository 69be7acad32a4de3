import fs from 'node:fs'
import { inspect, stripVTControlCharacters } from 'node:util'
import { visible, withoutPasswords } from '../lib/errors/foreign-text'
import { setLogPolicy } from '../lib/events/logger'
import { columnsOf, wrapTo } from './terminal/width'

let verbosity = 1

/** Standard output before the app's own output was kept from it. */
const answer = process.stdout.write.bind(process.stdout)

/**
 * Sends log lines to stderr: none at level 0, debug lines at level 3. Only a worker (`isWorker`) uses the logger that the app
 * sets, at these levels: it may write to stdout, or to nowhere that the user of a short command looks at.
 */
export function setVerbosity(level: number, isWorker = false): void {
  verbosity = level
  // Whole: the terminal breaks them, and a line that is copied or searched for stays one.
  const tellLine = (message: string): void => void process.stderr.write(clean(message))
  setLogPolicy({
    levels:
      level >= 3 ? ['debug', 'info', 'warn', 'error'] : level >= 1 ? ['info', 'warn', 'error'] : [],
    details: level >= 2,
    isOwn: !isWorker,
    logger: { debug: tellLine, info: tellLine, warn: tellLine, error: tellLine },
  })
}

/**
 * From now on only `print` writes to stdout. What the app and its DataSource write there (`console.log`, SQL, loggers that
 * write to file descriptor 1) goes to stderr, so that a script can read the answer.
 */
export function keepStdoutForAnswer(): void {
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write
  // pino writes by these; Node's own streams do not.
  for (const name of ['write', 'writeSync'] as const) {
    const write = fs[name] as (...given: unknown[]) => unknown
    const toStderr = (fd: unknown, ...rest: unknown[]): unknown => write(fd === 1 ? 2 : fd, ...rest)
    // `promisify` finds its form of `write` in a property of the function.
    Object.defineProperties(toStderr, Object.getOwnPropertyDescriptors(write))
    Object.assign(fs, { [name]: toStderr })
  }
}

/** True if the verbosity is at least `level`. */
export function isWanted(level: number): boolean {
  return verbosity >= level
}

/** Prints a line of the command's result to stdout. */
export function print(line: string): void {
  answer(clean(line))
}

/** Prints text in which the only control characters are colours of our own. */
export function printMarked(text: string): void {
  answer(`${text}\n`)
}

/** Prints an error or the like to stderr; on a terminal broken at blanks, where the terminal would break it within words. */
export function tell(line: string): void {
  const { isTTY } = process.stderr
  process.stderr.write(clean(isTTY ? wrapTo(columnsOf(process.stderr), line) : line))
}

/** Prints an error and its fix; the stack trace only at `-v 3`. */
export function printError(error: unknown): void {
  // Compilers color their messages.
  tell(`error: ${stripVTControlCharacters(isWanted(3) ? stackOf(error) : described(error))}`)
}

/** Exits after all output is written, even if the app has open timers and connections. */
export function leave(code: number): void {
  answer('', () => process.stderr.write('', () => process.exit(code)))
}

/** A closed pipe (`| head`) is not an error. */
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

/** Terminals execute control characters, and show text in the order that other characters choose. */
function clean(text: string): string {
  return `${visible(withoutPasswords(text))}\n`
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
