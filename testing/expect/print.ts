import { REDACTED, Redaction, type RedactRules } from '../../dashboard/security/redact'
import { cut } from '../../lib/errors/error-record'
import { isRecord } from '../../lib/errors/option-checks'
import { type Difference, MATCHER, type Path, shownExpectation } from './differences'

/** Characters of one value that an error shows. */
const MOST = 300
const MOST_DIFFERENCES = 10

/** How an error shows one call: secrets are kept out of it, as the dashboard does. */
export class Printer {
  readonly #redaction: Redaction

  constructor(rules: RedactRules) {
    this.#redaction = new Redaction(rules)
  }

  /** `mail.welcome(42, "warm")`. */
  call(name: string, args: readonly unknown[]): string {
    return `${name}(${args.map((arg) => this.value(arg)).join(', ')})`
  }

  value(value: unknown): string {
    return cut(text(this.#redacted(shownExpectation(value))), MOST)
  }

  /** One line for each, the first few. */
  differences(all: readonly Difference[]): string[] {
    const told = all
      .slice(0, MOST_DIFFERENCES)
      .map(
        ({ path, expected, actual }) =>
          `${pathText(path)}: expected ${this.at(path, expected)}, got ${this.at(path, actual)}`,
      )
    const more = all.length - told.length
    return more > 0 ? [...told, `and ${more} more`] : told
  }

  /** Under the names that lead to it, one of which may say that it is a secret. */
  at(path: Path, value: unknown): string {
    const names = path.filter((step) => typeof step === 'string')
    const whole = names.reduceRight<unknown>(
      (inner, name) => ({ [name]: inner }),
      shownExpectation(value),
    )
    return cut(text(inside(this.#redacted(whole), names)), MOST)
  }

  #redacted(value: unknown): unknown {
    return this.#redaction.value(value)
  }
}

/** What these names lead to; what stands in the place of a secret, if that is on the way. */
function inside(value: unknown, names: readonly string[]): unknown {
  return names.reduce((at, name) => (isRecord(at) ? at[name] : at), value)
}

export function pathText(path: Path): string {
  return path.reduce<string>((whole, step) => {
    if (typeof step === 'number') return `${whole}[${step}]`
    if (whole === '') return step
    return /^[A-Za-z_$][\w$]*$/.test(step)
      ? `${whole}.${step}`
      : `${whole}[${JSON.stringify(step)}]`
  }, '')
}

function text(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === REDACTED) return REDACTED
  if (typeof value === 'string' && value.startsWith(MATCHER)) return value.slice(MATCHER.length)
  if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const parts = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${text(each)}`)
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`
}
