import { useEffect, useState } from 'preact/hooks'

/** What is said once, of something that was done. */
export interface Said {
  readonly text: string
  readonly isBad: boolean
  /** What was refused, one line each. */
  readonly details: readonly string[]
  /** Where to see more of it. */
  readonly link: { readonly href: string; readonly text: string } | null
}

/** Time in ms for which good news stays. */
const SHOWN_MS = 5_000

let hear: ((said: Said | null) => void) | undefined

export function say(
  text: string,
  { isBad = false, details = [], link = null }: Partial<Said> = {},
): void {
  hear?.({ text, isBad, details, link })
}

/** Bad news stays until it is closed. */
export function useSaid(): readonly [Said | null, () => void] {
  const [said, setSaid] = useState<Said | null>(null)
  useEffect(() => {
    hear = setSaid
  }, [])
  useEffect(() => {
    if (!said || said.isBad) return
    const timer = setTimeout(() => setSaid(null), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [said])
  return [said, () => setSaid(null)]
}
