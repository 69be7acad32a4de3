import {
  type Rule,
  type Subject,
  assertKnown,
  check,
  isRecord,
  isWithin,
  or,
} from './errors/option-checks'

/** How long results are kept, in milliseconds since the task finished. */
export type KeepResults = number | KeptByStatus

/** By how the task finished; what is left out is not said. */
export interface KeptByStatus {
  /** Milliseconds that SUCCESSFUL results are kept. */
  successful?: number | undefined
  /** Milliseconds that FAILED results are kept. */
  failed?: number | undefined
}

/** A hundred years: some databases have no dates further back. */
export const LONGEST_KEPT_MS = 100 * 365 * 24 * 60 * 60 * 1000

const HINT = 'Write e.g. 7 * 24 * 60 * 60 * 1000 for a week; the most is a hundred years.'
const KEPT: Rule = {
  expected: `a number of milliseconds from 0 to ${LONGEST_KEPT_MS}`,
  isSound: (value) => isWithin(value, 0, LONGEST_KEPT_MS),
  hint: HINT,
}
const PARTS = ['successful', 'failed'] as const

export const KEEP_RESULTS: Rule = {
  expected: `${KEPT.expected}, or { successful, failed } with such numbers`,
  isSound: (value) => isRecord(value) || KEPT.isSound(value),
  hint: HINT,
  checkInside: checkParts,
}

/** How long the results of a task are kept that says `own`, on a backend that says `general`. What the task says comes first. */
export function keptFor(
  own: KeepResults | null | undefined,
  general: KeepResults | null | undefined,
): KeptByStatus {
  const [ownParts, generalParts] = [byStatus(own), byStatus(general)]
  return {
    successful: ownParts.successful ?? generalParts.successful,
    failed: ownParts.failed ?? generalParts.failed,
  }
}

/** The shorter of the two times; undefined: neither is said. */
export function shortestOf({ successful, failed }: KeptByStatus): number | undefined {
  const times = [successful, failed].filter((ms) => ms !== undefined)
  return times.length === 0 ? undefined : Math.min(...times)
}

function byStatus(keep: KeepResults | null | undefined): KeptByStatus {
  return typeof keep === 'number' ? { successful: keep, failed: keep } : (keep ?? {})
}

function checkParts(subject: Subject, name: string, value: unknown): void {
  if (!isRecord(value)) return
  const what = name === '' ? subject.what : `${subject.what}, ${name}`
  assertKnown({ ...subject, what }, value, PARTS, 'key')
  for (const part of PARTS)
    check(subject, name === '' ? part : `${name}.${part}`, value[part], or(undefined, KEPT))
}
