import { NOT_READ } from '../../lib/browser'
import { KnownSecrets, LONG, SHORTEST } from './secrets/known'
import { type Keys, namesOf } from './secrets/names'
import { type Place, placesIn } from './secrets/places'
import { replaced } from './secrets/spans'

/** What stands in the place of a value that nobody shall read. */
export const REDACTED = '[redacted]'
/** What stands where values are nested too deeply to be looked through. */
const TOO_DEEP = '[too deep to show]'
/** What stands in the place of a text that could not be looked through within bounds. */
export const UNCHECKED = '[too large to check for secrets]'

/** Levels of lists and objects that are looked through, JSON inside texts counted. */
const DEEPEST = 64
/**
 * What is looked through of a row: each character counts twice, since secrets are found before they are replaced. This is more
 * than the 100 ms that it may take on a slow machine.
 */
const MOST_STEPS = 8_000_000
/** What a value counts, whatever is in it. */
const EACH = 4
/** Texts that may be JSON: objects, lists, and texts in JSON. */
const MAY_BE_JSON = /^[\s\ufeff]*["[{]/
/** An object with such a key and a `value` is a pair: `{ name: 'password', value: '…' }`. */
const NAMING = ['name', 'key', 'header', 'field'] as const

export interface RedactRules {
  /** Further names whose values are redacted, beside those of `secrets/names`; a text is compared without regard to case. */
  readonly keys: Keys
}

/** Texts of so many characters are large. */
const LARGE = 1_000

interface LookedAt {
  /** What the text holds as JSON; undefined: nothing. */
  readonly json: unknown
  readonly places: readonly Place[]
}

type Values = Readonly<Record<string, unknown>>

/**
 * Replaces secrets in values that are going to be shown: those of keys with such names, at any depth and in JSON inside texts,
 * and those that a text tells by its form. What was found it also replaces in all other texts, such as a traceback that quotes an
 * argument. For one task: make a new one for each. What cannot be looked through within bounds is hidden whole.
 */
export class Redaction {
  readonly #isSecret: (name: string) => boolean
  readonly #known = new KnownSecrets()
  readonly #names = new Map<string, string>()
  readonly #large = new Map<string, LookedAt>()
  #steps = MOST_STEPS
  /** Not all secrets are known: any text may have one. */
  #isPartial = false

  constructor({ keys }: RedactRules) {
    this.#isSecret = namesOf(keys)
  }

  /** Give all values of a task at once: what is a secret in one may be quoted by another. */
  value(value: unknown): unknown {
    this.#learn(value, 0, false)
    return this.#clean(value, 0)
  }

  /** A text that may quote what was redacted before. */
  text(text: string): string {
    return this.#cleanText(text, 0)
  }

  #learn(value: unknown, depth: number, isSecret: boolean): void {
    if (!this.#isWithin(depth, isSecret)) return
    if (typeof value === 'string') this.#learnText(value, depth, isSecret)
    else if (typeof value === 'number' && isSecret) this.#add(String(value))
    else if (typeof value === 'object' && value !== null) this.#learnEach(value, depth, isSecret)
  }

  /** A secret that is not looked at could be quoted by any text. */
  #isWithin(depth: number, isSecret: boolean): boolean {
    this.#isPartial ||= !this.#spend(EACH) || (isSecret && depth >= DEEPEST)
    return depth < DEEPEST && !this.#isPartial
  }

  #learnEach(value: object, depth: number, isSecret: boolean): void {
    if (Array.isArray(value)) {
      const isPair = this.#isPair(value)
      value.forEach((each, i) => this.#learn(each, depth + 1, isSecret || (isPair && i === 1)))
      return
    }
    for (const [name, each] of Object.entries(value))
      this.#learn(each, depth + 1, isSecret || this.#isHidden(value, name))
  }

  #learnText(text: string, depth: number, isSecret: boolean): void {
    this.#isPartial ||= !this.#spend(text.length) || text === NOT_READ
    if (this.#isPartial) return
    if (isSecret) this.#add(text)
    const { json, places } = this.#lookedAt(text)
    if (json !== undefined) this.#learn(json, depth + 1, isSecret)
    for (const { from, to, isSure } of places) if (isSure) this.#add(text.slice(from, to))
  }

  #add(secret: string): void {
    this.#known.add(secret)
    this.#isPartial ||= this.#known.isFull || !this.#spend(secret.length)
  }

  /** The same value if there is nothing to replace in it. */
  #clean(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.#cleanText(value, depth)
    if (typeof value === 'number') return this.#cleanNumber(value)
    if (typeof value !== 'object' || value === null) return value
    if (depth >= DEEPEST) return TOO_DEEP
    return Array.isArray(value)
      ? this.#cleanList(value, depth)
      : this.#cleanRecord(value as Values, depth)
  }

  #cleanNumber(value: number): number | string {
    if (this.#known.isEmpty) return value
    const digits = String(value)
    return digits.length >= LONG && this.#known.has(digits) ? REDACTED : value
  }

  #cleanList(list: readonly unknown[], depth: number): readonly unknown[] {
    const isPair = this.#isPair(list)
    const clean = list.map((each, i) =>
      i === 1 && isPair ? hidden(each) : this.#clean(each, depth + 1),
    )
    return clean.every((each, i) => each === list[i]) ? list : clean
  }

  #cleanRecord(record: Values, depth: number): Values {
    let isSame = true
    const entries = Object.entries(record).map(([name, value]): [string, unknown] => {
      const shown = this.#cleanName(name)
      const clean = this.#isHidden(record, name) ? hidden(value) : this.#clean(value, depth + 1)
      isSame &&= shown === name && clean === value
      return [shown, clean]
    })
    // `fromEntries` defines properties: a key named __proto__ is a key like others.
    return isSame ? record : (Object.fromEntries(entries) as Values)
  }

  /** Names are hidden for what is known alone: most are words of the app, without which nobody could read the rest. */
  #cleanName(name: string): string {
    if (name.length < SHORTEST) return name
    const clean = this.#names.get(name) ?? this.#plain(name, placesIn(name, this.#isSecret))
    this.#names.set(name, clean)
    return clean
  }

  /** JSON in a text, as of a message that is passed on, has names, too. */
  #cleanText(text: string, depth: number): string {
    if (text.length < SHORTEST || text === NOT_READ) return text
    if (this.#isPartial) return UNCHECKED
    const { json, places } = this.#lookedAt(text)
    const clean = json === undefined ? undefined : this.#clean(json, depth + 1)
    return clean === json ? this.#plain(text, places) : JSON.stringify(clean)
  }

  /** By its characters alone. */
  #plain(text: string, places: readonly Place[]): string {
    if (!this.#spend(text.length)) return UNCHECKED
    const known = this.#known.in(text, (steps) => this.#spend(steps))
    if (known === null) return UNCHECKED
    return places.length + known.length === 0
      ? text
      : replaced(text, [...places, ...known], REDACTED)
  }

  /** A large text is looked at once, to learn of its secrets and to replace them. */
  #lookedAt(text: string): LookedAt {
    const known = text.length < LARGE ? undefined : this.#large.get(text)
    if (known) return known
    const found = { json: jsonIn(text), places: placesIn(text, this.#isSecret) }
    if (text.length >= LARGE) this.#large.set(text, found)
    return found
  }

  #isHidden(of: object, name: string): boolean {
    if (this.#isSecret(name)) return true
    if (name !== 'value') return false
    return NAMING.some((each) => {
      const named: unknown = Object.hasOwn(of, each) ? Reflect.get(of, each) : undefined
      return typeof named === 'string' && this.#isSecret(named)
    })
  }

  /** A name and its value, as of the entries of an object. */
  #isPair(list: readonly unknown[]): boolean {
    return list.length === 2 && typeof list[0] === 'string' && this.#isSecret(list[0])
  }

  #spend(steps: number): boolean {
    this.#steps -= steps
    return this.#steps >= 0
  }
}

function hidden(value: unknown): unknown {
  return value === null ? null : REDACTED
}

/** What a text holds as JSON, if that has names or texts; undefined: nothing. */
function jsonIn(text: string): unknown {
  if (!MAY_BE_JSON.test(text)) return undefined
  try {
    return JSON.parse(text.replace(/^\s*\ufeff/, ''))
  } catch {
    return undefined
  }
}
