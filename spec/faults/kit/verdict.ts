import type { Expected, Field } from './field'

const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7']

/** What the check of a long run found: its breaches, and one line that says of each invariant whether it held. */
export interface Verdict {
  readonly breaches: readonly string[]
  readonly line: string
}

/** Ends the run and holds its history against the promises. Whatever is no breach of a history is one of I7: what was left behind. */
export async function judge(field: Field, expected: Expected): Promise<Verdict> {
  const found = await field.breaches(expected).catch((error: Error) => [error.message])
  const breaches = found.map((breach) => (/^I\d: /.test(breach) ? breach : `I7: ${breach}`))
  const line = INVARIANTS.map(
    (invariant) =>
      `${invariant} ${told(breaches.filter((breach) => breach.startsWith(invariant)).length)}`,
  ).join(' · ')
  return { breaches, line }
}

function told(breaches: number): string {
  return breaches === 0 ? 'held' : `BROKEN ${breaches} times`
}
