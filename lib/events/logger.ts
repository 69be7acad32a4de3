import { onePerProcess } from '../copies/one-per-process'
import { oneLine, withoutPasswords } from '../errors/foreign-text'

/** Where log lines go: `console`, pino, winston and the like fit as they are. */
export interface Logger {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** Only what needs a look reaches the console of an app that has not chosen a logger. */
const quietConsole: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
}

const chosen = onePerProcess('logger', () => ({ logger: quietConsole }))

/** Whether anybody reads lines of that level, so that nobody need make them: they are made for every task. */
export const heard = onePerProcess('heard', () => ({
  debug: false,
  info: false,
  warn: true,
  error: true,
}))

/** Sends the library's log lines to `logger`; without an argument warnings and errors to the console again. */
export function setLogger(logger?: Logger): void {
  chosen.logger = logger ?? quietConsole
  heard.debug = heard.info = logger !== undefined
}

/** One event, one line: names and messages cannot forge a second one, or hide a part of it. Passwords in URLs are hidden. */
export const log: Logger = {
  debug: (message) => write('debug', message),
  info: (message) => write('info', message),
  warn: (message) => write('warn', message),
  error: (message) => write('error', message),
}

function write(level: keyof Logger, message: string): void {
  if (!heard[level]) return
  try {
    chosen.logger[level](oneLine(withoutPasswords(message)))
  } catch {
    // A logger's own fault must change no task's fate, and there is nowhere left to tell it.
  }
}
