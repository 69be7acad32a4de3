import { randomInt } from 'node:crypto'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A worker's name where none is given: 32 random letters and digits, as Django's. */
export function randomWorkerId(): string {
  return randomText(32)
}

/** The id of a worker's record. Another process may have been given the same name, and be alive while this one is lost. */
export function recordIdOf({
  workerId,
  hasRandomId,
}: Readonly<{ workerId: string; hasRandomId: boolean }>): string {
  return hasRandomId ? workerId : `${workerId}/${randomText(8)}`
}

/** The id that rows of a worker have, by that of its record. Workers of one given id have the same. */
export function workerIdOf(recordId: string): string {
  return recordId.replace(/\/[A-Za-z0-9]{8}$/, '')
}

function randomText(length: number): string {
  return Array.from({ length }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('')
}
