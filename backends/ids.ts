import type * as uuid from 'uuid'
import { InvalidSettingsError } from '../lib/errors/errors'
import { shown } from '../lib/errors/suggestions'

/** A new UUID of version 7, which sorts by time. The first call puts the library's own function in its place. */
export let newId: () => string = () => {
  newId = library().v7
  return newId()
}

export function isUuid(text: string): boolean {
  return library().validate(text)
}

/**
 * What the app's own `idFunction` gave, as ids are stored.
 *
 * @throws InvalidSettingsError if it is no UUID.
 */
export function assertId(id: unknown, alias: string): string {
  if (typeof id === 'string' && isUuid(id)) return id.toLowerCase()
  throw new InvalidSettingsError(
    `TASKS.${alias}.OPTIONS.idFunction: expected it to give a UUID, got ${shown(id)}.`,
    'Return e.g. crypto.randomUUID().',
  )
}

/** Loaded when something is enqueued or looked up: most workers start and end without. */
function library(): typeof uuid {
  return (loaded ??= require('uuid') as typeof uuid)
}

let loaded: typeof uuid | undefined
