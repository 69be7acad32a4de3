import { onePerProcess } from '../copies/one-per-process'
import { oneLine, withoutPasswords } from '../errors/foreign-text'

/** Where log lines go: `console`, pino, winston and the like fit as they are. */
export interface Logger {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** A logger whose `info` is called `log`, such as Nest's. */
export interface LoggerWithLog extends Pick<Logger, 'warn' | 'error'> {
  debug?(message: string): void
  log(message: string): void
}

type Level = keyof Logger

/** Only what needs a look reaches the console of an app that has not chosen a logger. */
const quietConsole: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
}

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error']

/** What the command line decides for the app whose tasks it runs; undefined elsewhere. */
export interface LogPolicy {
  readonly levels: readonly Level[]
  /** Task lines also name queue, attempt, worker and duration. */
  readonly details: boolean
  /** Lines go to the command's own logger, whatever logger the app sets. */
  readonly isOwn: boolean
  readonly logger: Logger
}

interface Chosen {
  logger: Logger | undefined
  policy: LogPolicy | undefined
}

const chosen = onePerProcess('logger', (): Chosen => ({ logger: undefined, policy: undefined }))

/** Whether anybody reads lines of that level, so that nobody need make them: they are made for every task. */
export const heard = onePerProcess('heard', () => ({
  debug: false,
  info: false,
  warn: true,
  error: true,
  details: false,
}))

/** Sends the library's log lines to `logger`; without an argument warnings and errors to the console again. */
export function setLogger(logger?: Logger | LoggerWithLog): void {
  chosen.logger = logger && withInfo(logger)
  listen()
}

/** Limits which lines are written, and until the app calls `setLogger` (with `isOwn` also after that) by which logger. */
export function setLogPolicy(policy: LogPolicy | undefined): void {
  chosen.policy = policy
  listen()
}

function listen(): void {
  const { logger, policy } = chosen
  const isQuiet = logger === undefined && policy === undefined
  for (const level of LEVELS)
    heard[level] =
      policy?.levels.includes(level) ?? !(isQuiet && level !== 'warn' && level !== 'error')
  heard.details = policy?.details ?? false
}

function current(): Logger {
  const { logger, policy } = chosen
  return (policy?.isOwn ? policy.logger : (logger ?? policy?.logger)) ?? quietConsole
}

/** By calls on the logger itself: most need their `this`. */
function withInfo(logger: Logger | LoggerWithLog): Logger {
  if ('info' in logger) return logger
  return {
    debug: (message) => logger.debug?.(message),
    info: (message) => logger.log(message),
    warn: (message) => logger.warn(message),
    error: (message) => logger.error(message),
  }
}

/** One event, one line: names and messages cannot forge a second one, or hide a part of it. Passwords in URLs are hidden. */
export const log: Logger = {
  debug: (message) => write('debug', message),
  info: (message) => write('info', message),
  warn: (message) => write('warn', message),
  error: (message) => write('error', message),
}

function write(level: Level, message: string): void {
  if (!heard[level]) return
  try {
    current()[level](oneLine(withoutPasswords(message)))
  } catch {
    // A logger's own fault must change no task's fate, and there is nowhere left to tell it.
  }
}
