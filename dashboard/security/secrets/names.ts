/** Names of values that are secrets in most apps. */
const SECRET_NAMES =
  /pass[-_ ]?w(or)?d|passphrase|(^|[-_ .])(pass|pwd)$|secret|token|jwt|bearer|credential|cookie|authori[sz]ation|(api|private|access|signing|encryption|ssh)[-_ ]?key|connection[-_ ]?string|session[-_ ]?id|^(auth|pin([-_ ]?code)?|cvc2?|cvv2?|otp|dsn)$/i
/** As in `dbPass`, but not in `compass`. */
const SECOND_WORD = /[a-z0-9](Pass|Pwd)$/

/** A text is compared with the whole name, in any case of letters. */
export type Keys = readonly (RegExp | string)[]

/** Whether the value of a key with that name is a secret. `keys`: further names. */
export function isSecretName(name: string, keys: Keys): boolean {
  return SECRET_NAMES.test(name) || SECOND_WORD.test(name) || keys.some((key) => isNamed(name, key))
}

function isNamed(name: string, key: RegExp | string): boolean {
  if (typeof key === 'string') return name.toLowerCase() === key.toLowerCase()
  // One with the flag g goes on where it ended the last time.
  key.lastIndex = 0
  return key.test(name)
}

/** The same, for one row: its names come again and again. */
export function namesOf(keys: Keys): (name: string) => boolean {
  const known = new Map<string, boolean>()
  return (name) => {
    const answer = known.get(name) ?? isSecretName(name, keys)
    known.set(name, answer)
    return answer
  }
}
