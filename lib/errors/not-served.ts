import { NotSupportedError } from './errors'

interface ServedBackend {
  readonly alias: string
  /** The aliases whose workers run its tasks; null: its own. */
  readonly servedBy: readonly string[] | null
}

/** What to tell somebody who would have a worker serve a backend whose tasks are those of others; nothing for one that has its own. */
export function notServed({
  constructor,
  alias,
  servedBy,
}: ServedBackend): NotSupportedError | undefined {
  if (!servedBy) return undefined
  return new NotSupportedError(
    `TASKS.${alias} is ${constructor.name}, whose tasks are kept and run by ${servedBy.join(', ')}.`,
    `Name each of them in its place: ${servedBy.map((each) => `--backend ${each}`).join(', ')}.`,
  )
}
