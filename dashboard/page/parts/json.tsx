import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { WORDS } from '../words'
import { shownLines } from './shown'

/** What the server says where somebody may not see values. */
export const HIDDEN = '[hidden]'
/** Lines that are shown before somebody asks for all. */
const FOLDED = 24
/** And characters: one line may fill a phone ten times. */
const MOST_CHARACTERS = 1_200

export function Json({
  name,
  value,
}: {
  readonly name: string
  readonly value: unknown
}): JSX.Element {
  return (
    <section>
      {value === HIDDEN ? (
        <>
          <h2>{name}</h2>
          <p class="faint">{WORDS.hidden}</p>
        </>
      ) : (
        <Text name={name} text={JSON.stringify(value, null, 2) ?? 'undefined'} />
      )}
    </section>
  )
}

/** A text with lines, folded if it is long, and a button that copies it as it is. */
export function Text({
  name,
  text,
}: {
  readonly name: string
  readonly text: string
}): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  const whole = shownLines(text)
  const folded = foldedOf(whole)
  return (
    <>
      <h2>
        {name} <Copy text={text} name={name} />
      </h2>
      <pre tabIndex={0} aria-label={name}>
        {isOpen || !folded ? whole : folded.text}
      </pre>
      {folded && !isOpen ? (
        <button type="button" class="plain" onClick={() => setOpen(true)}>
          {folded.label}
        </button>
      ) : null}
    </>
  )
}

/** Null: it is short enough to be shown whole. A little more than that is shown whole, too. */
function foldedOf(whole: string): { readonly text: string; readonly label: string } | null {
  const lines = whole.split('\n')
  const some = lines.length > FOLDED ? lines.slice(0, FOLDED - 4).join('\n') : whole
  if (some.length > MOST_CHARACTERS) {
    const text = `${some.slice(0, MOST_CHARACTERS - 200)}…`
    return { text, label: WORDS.showCharacters(whole.length) }
  }
  return some === whole ? null : { text: some, label: WORDS.showAll(lines.length) }
}

/** Browsers have a clipboard on addresses that they trust alone: those with TLS and of this machine. */
export function Copy({
  text,
  name,
}: {
  readonly text: string
  readonly name: string
}): JSX.Element | null {
  const [isCopied, setCopied] = useState(false)
  if (!isSecureContext) return null
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), 1_500)
  }
  return (
    <button
      type="button"
      class="plain copy"
      aria-label={`${WORDS.copy}: ${name}`}
      onClick={() => void copy().catch(() => {})}
    >
      {isCopied ? WORDS.copied : WORDS.copy}
    </button>
  )
}
