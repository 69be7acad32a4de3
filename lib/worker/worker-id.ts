import { randomInt } from 'node:crypto'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A worker's name where none is given: 32 random letters and digits, as Django's. */
export function randomWorkerId(): string {
  return Array.from({ length: 32 }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('')
}
