import { createHash } from 'node:crypto'

/**
 * The alias that a key belongs to: of all, the one whose hash with the key is the greatest (rendezvous hashing). So a key
 * stays where it is unless its own alias goes, or a new one takes it: of n aliases a new one takes an n-th of the keys. It
 * never changes from version to version. A key that is one of the aliases is that one.
 *
 * For a program that must know it beforehand, as to open a transaction on the right data source.
 */
export function shardOf(key: string | number, over: readonly string[]): string {
  const text = String(key)
  if (over.includes(text)) return text
  let best = ''
  let most = ''
  for (const alias of over) {
    const weight = createHash('sha256').update(`${alias}\n${text}`).digest('hex')
    if (weight <= most) continue
    best = alias
    most = weight
  }
  return best
}
