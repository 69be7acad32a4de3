import type * as uuid from 'uuid'

/** A new UUID of version 7, which sorts by time. */
export function newId(): string {
  return library().v7()
}

export function isUuid(text: string): boolean {
  return library().validate(text)
}

/** Loaded by who enqueues or looks up: most workers start and end without. */
function library(): typeof uuid {
  return (loaded ??= require('uuid') as typeof uuid)
}

let loaded: typeof uuid | undefined
