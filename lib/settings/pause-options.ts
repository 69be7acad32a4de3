import type { TaskBackend } from '../backend'
import type { PauseOptions } from '../browser'
import {
  QUEUE_NAME,
  type Rule,
  check,
  completed,
  printable,
  row,
  or,
} from '../errors/option-checks'
import { InvalidSettingsError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'

/** The most characters of the reason of a pause. */
export const MAX_REASON = 200

/** Whether it is to come is for the database's clock to say. */
const INSTANT: Rule = {
  expected: 'a Date to come',
  isSound: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
  hint: 'Leave it out for a pause that lasts until the queue is resumed.',
}

const OPTIONS = {
  reason: row<string | undefined>(undefined, or(undefined, printable(MAX_REASON))),
  until: row<Date | undefined>(undefined, or(undefined, INSTANT)),
}

/** The options of a pause, checked. @throws InvalidSettingsError for a queue that is not in QUEUES, or wrong options. */
export function pauseOptionsOf(
  backend: TaskBackend,
  name: string,
  options: PauseOptions,
): PauseOptions {
  assertPausable(backend, name)
  const subject = {
    what: `Pause of the queue ${shown(name)}`,
    Fault: InvalidSettingsError,
    hint: 'Change the option.',
  }
  return completed(subject, options, OPTIONS)
}

/** @throws InvalidSettingsError for a name that no queue of the backend can have. */
export function assertPausable({ alias, settings }: TaskBackend, name: string): void {
  const known = settings.queues
  const subject = { what: 'A queue to pause or resume', Fault: InvalidSettingsError, hint: '' }
  check(subject, '', name, QUEUE_NAME)
  if (known.length > 0 && !known.includes(name))
    throw new InvalidSettingsError(
      `Queue ${shown(name)} is not in QUEUES of TASKS.${alias} (${known.join(', ')}).`,
      didYouMean(name, known) ?? 'Add it there, or choose one of them.',
    )
}
