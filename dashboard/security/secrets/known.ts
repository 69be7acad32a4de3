import type { Span } from './spans'

/** So many secrets of a row are looked for in its texts. */
const MOST = 10_000
/** Secrets of at least so many characters are looked for everywhere, shorter ones where they stand alone. */
export const LONG = 6
/** Shorter ones are not looked for: they would be found everywhere. */
export const SHORTEST = 4
/** The table of hashes has two to the power of so many entries: few at first, since most rows have few secrets. */
const BITS = { first: 10, more: 4, most: 18 }
/** Entries for each text: of so many places that have none of them one is looked at in vain. */
const SPARE = 8
const BASE = 0x01000193
const WORD = /[\p{L}\p{N}]/u
/** The end of a text that was cut: what stands before it may be half a secret. */
const CUT = /\n… cut, \d+ characters in all\n$/

const NOWHERE: readonly Span[] = []

/** Takes so many steps of work; false: that was too much. */
export type Spend = (steps: number) => boolean

/** The secrets of one row, which other texts of it may quote. */
export class KnownSecrets {
  readonly #all = new Set<string>()
  readonly #long = new Starts(LONG)
  readonly #short = new Starts(SHORTEST)
  /** There are more than are looked for. */
  isFull = false

  /** Also as JSON, and as a part of an address, would have it. */
  add(secret: string): void {
    if (secret.length < SHORTEST || this.#all.has(secret)) return
    if (this.#all.size >= MOST) {
      this.isFull = true
      return
    }
    for (const form of formsOf(secret)) {
      this.#all.add(form)
      if (form.length < LONG) this.#short.add(form)
      else this.#long.add(form)
    }
  }

  get isEmpty(): boolean {
    return this.#all.size === 0
  }

  has(text: string): boolean {
    return this.#all.has(text)
  }

  /** Where they stand in a text; null: the work was too much. */
  in(text: string, spend: Spend): readonly Span[] | null {
    if (this.isEmpty) return NOWHERE
    const long = this.#long.in(text, spend)
    const short = this.#short.in(text, spend)
    return long && short && [...long, ...short.filter((span) => isAlone(text, span))]
  }
}

function formsOf(secret: string): ReadonlySet<string> {
  const quoted = escaped(secret)
  const encoded = encodeURIComponent(secret.toWellFormed())
  const forms = [secret, quoted, escaped(quoted), encoded, encoded.replaceAll('%20', '+')]
  // Node writes it so where it shows an object.
  return new Set([...forms, secret.replaceAll(/[\\']/g, '\\$&').replaceAll('\n', '\\n')])
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function isAlone(text: string, { from, to }: Span): boolean {
  return !WORD.test(text[from - 1] ?? '') && !WORD.test(text[to] ?? '')
}

/** Texts by their first characters: a hash of these is compared at each place of a text, so that many cost no more than one. */
class Starts {
  readonly #width: number
  readonly #byStart = new Map<string, string[]>()
  #bits = BITS.first
  #hashes = new Uint8Array(0)
  /** What the first character of a window counts for. */
  readonly #first: number

  constructor(width: number) {
    this.#width = width
    this.#first = Array.from({ length: width - 1 }).reduce<number>(
      (product) => Math.imul(product, BASE),
      1,
    )
  }

  add(text: string): void {
    const start = text.slice(0, this.#width)
    const known = this.#byStart.get(start)
    if (known) return void known.push(text)
    this.#byStart.set(start, [text])
    if (this.#hashes.length === 0 || this.#byStart.size * SPARE > this.#hashes.length) this.#grow()
    this.#hashes[this.#slotOf(this.#hashOf(start))] = 1
  }

  #grow(): void {
    if (this.#bits >= BITS.most) return
    if (this.#hashes.length > 0) this.#bits = Math.min(BITS.most, this.#bits + BITS.more)
    this.#hashes = new Uint8Array(2 ** this.#bits)
    for (const start of this.#byStart.keys()) this.#hashes[this.#slotOf(this.#hashOf(start))] = 1
  }

  #slotOf(hash: number): number {
    return Math.imul(hash, 0x9e3779b1) >>> (32 - this.#bits)
  }

  in(text: string, spend: Spend): Span[] | null {
    const found: Span[] = []
    if (this.#byStart.size === 0 || text.length < this.#width) return found
    const end = text.length - (text.endsWith('\n') ? (CUT.exec(text)?.[0].length ?? 0) : 0)
    let hash = this.#hashOf(text)
    for (let at = 0; ; at++) {
      if (this.#hashes[this.#slotOf(hash)] === 1 && !this.#compare({ text, at, end }, found, spend))
        return null
      if (at + this.#width >= text.length) return found
      const left = Math.imul(text.charCodeAt(at), this.#first)
      hash = (Math.imul(hash - left, BASE) + text.charCodeAt(at + this.#width)) | 0
    }
  }

  /** False: that was too much work. */
  #compare(
    { text, at, end }: { text: string; at: number; end: number },
    found: Span[],
    spend: Spend,
  ) {
    let to = 0
    for (const secret of this.#byStart.get(text.slice(at, at + this.#width)) ?? []) {
      if (!spend(secret.length)) return false
      const isCut = at + secret.length > end && secret.startsWith(text.slice(at, end))
      if (isCut) to = end
      else if (text.startsWith(secret, at)) to = Math.max(to, at + secret.length)
    }
    if (to > 0) found.push({ from: at, to })
    return true
  }

  #hashOf(text: string): number {
    let hash = 0
    for (let i = 0; i < this.#width; i++) hash = (Math.imul(hash, BASE) + text.charCodeAt(i)) | 0
    return hash
  }
}
