import type { TaskBackend } from '../index'
import { backends as configured } from '../lib/backend-registry'
import { clock, OVER, sharedByMany } from '../lib/clock'
import { briefly } from '../lib/errors/error-record'
import { InvalidSettingsError } from '../lib/errors/errors'
import { isRecord } from '../lib/errors/option-checks'
import { didYouMean } from '../lib/errors/suggestions'
import { heard, log } from '../lib/events/logger'
import { Browsers } from './browsing/browsers'
import { Handler, type Surroundings } from './handler'
import { assertOptions, type Change, type DashboardOptions } from './options'

/** What answers the requests of a page, and what ends it. */
export interface Made {
  readonly handler: Handler
  readonly close: () => Promise<void>
}

/** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
export function madeOf(options: DashboardOptions, closedDoor?: Surroundings['closedDoor']): Made {
  assertOptions(options)
  if (configured.isConfigured) chosenOf(options.backends)
  const { title = 'Tasks', environment = null, redact = {}, audit = logged } = options
  const closing = new AbortController()
  const browsers = new Browsers()
  const page = {
    title,
    environment,
    redact,
    browsers,
    backends: () => chosenOf(options.backends),
    report: reporter(),
    closed: sharedByMany(closing.signal),
  }
  const handler = new Handler(options, {
    page,
    audit: (change) => audited(audit, change),
    environment: process.env['NODE_ENV'],
    closedDoor,
  })
  const close = (): Promise<void> => {
    closing.abort(OVER)
    return browsers.close()
  }
  return { handler, close }
}

/** Read at each request, since TASKS may be configured after the page is made. */
function chosenOf(aliases: readonly string[] | undefined): ReadonlyMap<string, TaskBackend> {
  if (!configured.isConfigured)
    throw new InvalidSettingsError(
      'This process has not called configureTasks, so the dashboard knows of no tasks.',
      'Call configureTasks(TASKS) in the process that serves the dashboard, as where tasks are enqueued.',
    )
  const all = new Map(configured.all().map((backend) => [backend.alias, backend]))
  if (aliases === undefined) return all
  const missing = aliases.find((alias) => !all.has(alias))
  if (missing !== undefined)
    throw new InvalidSettingsError(
      `The option backends of the dashboard has "${missing}", which TASKS does not have.`,
      didYouMean(missing, [...all.keys()]) ?? `TASKS has ${[...all.keys()].join(', ')}.`,
    )
  return new Map([...all].filter(([alias]) => aliases.includes(alias)))
}

/** The change is made: what fails now must not look as if it were not. */
async function audited(audit: (change: Change) => unknown, change: Change): Promise<void> {
  try {
    await audit(change)
  } catch (error) {
    const { action, changed } = change
    log.error(`audit of the dashboard failed after ${action} of ${changed}: ${briefly(error)}`)
  }
}

const MOST_LOGGED = 20

function logged({ user, action, backend, ids, changed, ...more }: Change): void {
  const who = nameOf(user)
  const which = Object.entries(more).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  const named = ids.length === 0 ? '' : `: ${ids.slice(0, MOST_LOGGED).join(', ')}`
  const others = ids.length > MOST_LOGGED ? ` and ${ids.length - MOST_LOGGED} more` : ''
  const line = `Dashboard: ${action} in ${backend}${which.join('')}, ${changed} changed${who === null ? '' : ` by ${who}`}${named}${others}`
  // The console of an app without a logger shows warnings and errors alone; who changed what must not get lost there.
  if (heard.info) log.info(line)
  else log.warn(line)
}

/** What somebody is told by. The rest of a user may be what no log should hold. */
function nameOf(user: unknown): string | null {
  const name = isRecord(user)
    ? (user['email'] ?? user['username'] ?? user['name'] ?? user['id'])
    : user
  return typeof name === 'string' || typeof name === 'number' ? JSON.stringify(name) : null
}

/** Time in ms in which the same error is logged once: pages look each second. */
const SAME_MS = 60_000

function reporter(): (error: unknown) => void {
  let [last, at] = ['', 0]
  return (error) => {
    const text = briefly(error)
    if (text === last && clock.now() - at < SAME_MS) return
    last = text
    at = clock.now()
    log.error(`The dashboard failed: ${text}`)
  }
}
