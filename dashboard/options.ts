import {
  ALIAS,
  check,
  completed,
  isRecord,
  type OptionTable,
  or,
  printable,
  row,
  type Rule,
  settingsSubject,
} from '../lib/errors/option-checks'
import type { Granted } from './security/access'

/** What is done with secrets among the values of tasks. */
export interface RedactOptions {
  /** Further names of keys whose values nobody sees, beside those that hold secrets in most apps. */
  keys?: readonly (RegExp | string)[] | undefined
  /** Whether arguments, results and tracebacks of a task are shown at all. Default: yes. */
  show?: ((task: { readonly taskName: string; readonly queueName: string }) => boolean) | undefined
}

/** Who changed what. */
export interface Change {
  /** What the option `user` gave. */
  readonly user: unknown
  readonly action:
    'retry' | 'cancel' | 'delete' | 'prioritise' | 'copy' | 'pause' | 'resume' | 'run'
  /** The alias of the backend. */
  readonly backend: string
  /** The tasks that were named; of a filter those that were changed, of a schedule the run that was enqueued. */
  readonly ids: readonly string[]
  /** How many were changed. */
  readonly changed: number
  /** What the tasks were chosen by, where they were not named: the parameters of the list. */
  readonly filter?: Readonly<Record<string, string>> | undefined
  /** Of `prioritise`. */
  readonly priority?: number | undefined
  /** Of `pause` and `resume`. */
  readonly queue?: string | undefined
  /** Of `run`. */
  readonly schedule?: string | undefined
}

// oxlint-disable-next-line typescript/no-explicit-any -- a request is whatever the framework has
export interface DashboardOptions<Request = any, User = any> {
  /**
   * What somebody may do: 'all', a list of permissions, 'login' to have the browser ask for a name and a password, null if
   * there is nothing for them. Without it the dashboard is open to this machine alone, and not in production.
   */
  authorize?: ((request: Request, user: User) => Granted | Promise<Granted>) | undefined
  /** Who asks; it is handed to `authorize` and `audit`. */
  user?: ((request: Request) => User | Promise<User>) | undefined
  redact?: RedactOptions | undefined
  /** Aliases in `TASKS`. Default: all whose results can be listed. */
  backends?: readonly string[] | undefined
  /** Origins that the page is served under, where a proxy changes the host: `https://tasks.example`. */
  origins?: readonly string[] | undefined
  /**
   * Hears of each change, after it was made. Its errors are logged. Default: a line of the log, which has `email`, `username`,
   * `name` or `id` of a user, the first that is there.
   */
  audit?: ((change: Change) => unknown) | undefined
  /** What the page is called. Default: 'Tasks'. */
  title?: string | undefined
  /** Such as 'production', so that nobody takes one page for another. */
  environment?: string | undefined
}

const PAGE = settingsSubject('dashboard')
const REDACT = settingsSubject('dashboard, redact')
const LONGEST_TEXT = 100

const FUNCTION: Rule = {
  expected: 'a function',
  isSound: (value) => typeof value === 'function',
}

/** A list in which each is sound. */
function listOf(rule: Rule): Rule {
  return {
    expected: 'a list',
    isSound: Array.isArray,
    checkInside: (subject, name, list) =>
      (list as unknown[]).forEach((each, i) => check(subject, `${name}[${i}]`, each, rule)),
  }
}

const ORIGIN: Rule = {
  expected: 'an origin such as "https://tasks.example", without a path',
  isSound: (value) => typeof value === 'string' && originOf(value) === value,
}

const KEY: Rule = {
  expected: 'the name of a key, or a regular expression',
  isSound: (value) => value instanceof RegExp || (typeof value === 'string' && value !== ''),
}

// A key that is mistyped here would show what was to be hidden.
const REDACT_OPTIONS = {
  keys: row<unknown>([], listOf(KEY)),
  show: row<unknown>(undefined, or(undefined, FUNCTION)),
} satisfies OptionTable<RedactOptions>

const OPTIONS = {
  authorize: row<unknown>(undefined, or(undefined, FUNCTION)),
  user: row<unknown>(undefined, or(undefined, FUNCTION)),
  redact: row<unknown>(
    {},
    {
      expected: 'an object of options',
      isSound: isRecord,
      checkInside: (_subject, _name, value) =>
        void completed(REDACT, value as object, REDACT_OPTIONS),
    },
  ),
  backends: row<unknown>([], listOf(ALIAS)),
  origins: row<unknown>([], listOf(ORIGIN)),
  audit: row<unknown>(undefined, or(undefined, FUNCTION)),
  title: row<unknown>(undefined, or(undefined, printable(LONGEST_TEXT))),
  environment: row<unknown>(undefined, or(undefined, printable(LONGEST_TEXT))),
} satisfies OptionTable<DashboardOptions>

/** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
export function assertOptions(options: DashboardOptions): void {
  completed(PAGE, options, OPTIONS)
}

function originOf(text: string): string | null {
  try {
    return new URL(text).origin
  } catch {
    return null
  }
}
