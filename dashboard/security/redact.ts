/** What stands in the place of a value that nobody shall read. */
export const REDACTED = '[redacted]'
/** What stands where values are nested too deeply to be looked through. */
const TOO_DEEP = '[too deep to show]'

/** Names of values that are secrets in most apps. */
const SECRET_NAMES =
  /passw(or)?d|passphrase|^pwd$|secret|token|authori[sz]ation|api[-_ ]?key|private[-_ ]?key|cookie|credential|^pin$|^cvc$|^otp$/i

/** Levels of lists and objects that are looked through, JSON inside texts counted. */
const DEEPEST = 64
/** A secret of fewer characters is not looked for in other texts: it would be found everywhere. */
const SHORTEST = 6

/** The password of an address such as `postgres://app:pass@host`. */
const PASSWORD_IN_URL = /(?<=\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+(?=@)/gi

export interface RedactRules {
  /** Further names whose values are redacted, beside those of `SECRET_NAMES`; a text is compared without regard to case. */
  readonly keys: readonly (RegExp | string)[]
}

/**
 * Replaces secrets in values that are going to be shown: those of keys with such names, at any depth and in JSON inside texts,
 * and passwords in addresses. What was replaced it also replaces in texts that are redacted later, such as a traceback that
 * quotes an argument. For one task: make a new one for each.
 */
export class Redaction {
  readonly #isSecret: (name: string) => boolean
  readonly #found = new Set<string>()

  constructor({ keys }: RedactRules) {
    this.#isSecret = (name) => isSecretName(name, keys)
  }

  value(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.#text(value, depth)
    if (typeof value !== 'object' || value === null) return value
    if (depth >= DEEPEST) return TOO_DEEP
    if (Array.isArray(value)) return value.map((each) => this.value(each, depth + 1))
    return this.#record(value as Readonly<Record<string, unknown>>, depth)
  }

  /** A text in which nothing has a name. */
  text(text: string): string {
    let clean = text.replace(PASSWORD_IN_URL, REDACTED)
    // The longest first: one may be a part of another.
    const secrets = [...this.#found].toSorted((one, other) => other.length - one.length)
    for (const secret of secrets) clean = clean.replaceAll(secret, REDACTED)
    return clean
  }

  #record(record: Readonly<Record<string, unknown>>, depth: number): unknown {
    // `fromEntries` defines properties: a key named __proto__ is a key like others.
    return Object.fromEntries(
      Object.entries(record).map(([name, value]) => {
        if (!this.#isSecret(name)) return [name, this.value(value, depth + 1)]
        this.#remember(value, 0)
        return [name, value === null ? null : REDACTED]
      }),
    )
  }

  /** JSON in a text, as of a message that is passed on, has names, too. */
  #text(text: string, depth: number): string {
    if (/^\s*[[{]/.test(text))
      try {
        const value: unknown = JSON.parse(text)
        const clean = JSON.stringify(this.value(value, depth + 1))
        if (clean !== JSON.stringify(value)) return clean
      } catch {
        // It only looks like JSON.
      }
    return this.text(text)
  }

  #remember(value: unknown, depth: number): void {
    if (typeof value === 'object' && value !== null && depth < DEEPEST)
      for (const each of Object.values(value)) this.#remember(each, depth + 1)
    else if (String(value).length >= SHORTEST && typeof value !== 'boolean')
      this.#found.add(String(value))
  }
}

/** Whether the value of a key with that name is a secret. */
export function isSecretName(name: string, keys: RedactRules['keys']): boolean {
  return SECRET_NAMES.test(name) || keys.some((key) => isNamed(name, key))
}

function isNamed(name: string, key: RegExp | string): boolean {
  if (typeof key === 'string') return name.toLowerCase() === key.toLowerCase()
  // One with the flag g goes on where it ended the last time.
  key.lastIndex = 0
  return key.test(name)
}
