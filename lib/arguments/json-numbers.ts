/** A whole number of at least 16 digits, or an exponent of at least three: only those can be more than a double holds. */
export const SUSPECT_NUMBER = /(?<![\d.])\d{16,}(?![\d.eE])|\d[eE]\+?\d{3}/
/** Texts, to skip them, and numbers. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const SHOWN_DIGITS = 25

/**
 * The first number of a JSON text that JavaScript would read as another one: other programs write whole numbers of any length.
 * Null if there is none. What this library wrote itself passes. Only for texts with a `SUSPECT_NUMBER`: few have one.
 */
export function unreadableNumber(json: string): string | null {
  for (const [token] of json.matchAll(TOKEN))
    if (!token.startsWith('"') && isChanged(token)) return shortened(token)
  return null
}

function isChanged(text: string): boolean {
  const number = Number(text)
  if (!Number.isFinite(number)) return true
  if (Number.isSafeInteger(number) || !/^-?\d+$/.test(text)) return false
  // PostgreSQL writes 1.2e+30, as JavaScript does, with all of its zeros.
  return BigInt(text) !== BigInt(number) && significant(text) !== significant(shortest(number))
}

/** The digits by which JavaScript writes a number, and reads the same one from. */
function shortest(number: number): string {
  return number.toExponential().replace(/e.*/, '').replace('.', '')
}

function significant(digits: string): string {
  return digits.replace(/0+$/, '')
}

function shortened(number: string): string {
  return number.length > SHOWN_DIGITS
    ? `${number.slice(0, SHOWN_DIGITS)}… (${number.length} digits)`
    : number
}
