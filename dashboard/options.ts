import { InvalidSettingsError, shown } from '../index'
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
  /** Hears of each change, after it was made. Its errors are logged. Default: a line of the log. */
  audit?: ((change: Change) => unknown) | undefined
  /** What the page is called. Default: 'Tasks'. */
  title?: string | undefined
  /** Such as 'production', so that nobody takes one page for another. */
  environment?: string | undefined
}

const OPTIONS: Readonly<Record<keyof DashboardOptions, 'function' | 'object' | 'list' | 'string'>> =
  {
    authorize: 'function',
    user: 'function',
    redact: 'object',
    backends: 'list',
    origins: 'list',
    audit: 'function',
    title: 'string',
    environment: 'string',
  }

const EXPECTED = {
  function: 'a function',
  object: 'an object',
  list: 'a list of texts',
  string: 'a text',
} as const

/** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
export function assertOptions(options: DashboardOptions): void {
  for (const [name, value] of Object.entries(options)) {
    const kind = OPTIONS[name as keyof DashboardOptions] as (typeof OPTIONS)['user'] | undefined
    if (!kind)
      throw new InvalidSettingsError(
        `The dashboard has no option "${name}".`,
        `Its options are ${Object.keys(OPTIONS).join(', ')}.`,
      )
    const found = Array.isArray(value) ? 'list' : typeof value
    if (value !== undefined && found !== kind)
      throw new InvalidSettingsError(
        `The option ${name} of the dashboard is ${shown(value)}.`,
        `Give ${EXPECTED[kind]}.`,
      )
  }
}
