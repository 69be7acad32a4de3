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

let current: Logger = quietConsole

/** Whether anybody reads lines of that level, so that nobody need make them: they are made for every task. */
export const heard = { debug: false, info: false, warn: true, error: true }

/** Sends the library's log lines to `logger`; without an argument warnings and errors to the console again. */
export function setLogger(logger: Logger = quietConsole): void {
  current = logger
  heard.debug = heard.info = logger !== quietConsole
}

/** One event, one line: control characters of names and messages cannot forge a second one. */
export const log: Logger = {
  debug: (message) => write('debug', message),
  info: (message) => write('info', message),
  warn: (message) => write('warn', message),
  error: (message) => write('error', message),
}

function write(level: keyof Logger, message: string): void {
  if (!heard[level]) return
  try {
    current[level](oneLine(message))
  } catch {
    // A logger's own fault must change no task's fate, and there is nowhere left to tell it.
  }
}

function oneLine(message: string): string {
  return message.replace(
    CONTROLS,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g
