/** What a text holds as JSON; undefined for null, and for what is none. */
export function parsed(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/**
 * Reads a column that mostly has the text of the row before: then it is read once. What is read is frozen, since rows share it.
 * (Measured for the workers of a row: a twentieth of a worker's time.)
 */
export function repeated<Read>(read: (value: unknown) => Read): (text: string) => Read {
  let latest: { readonly text: string; readonly value: Read } | undefined
  return (text) => {
    if (latest?.text !== text) latest = { text, value: Object.freeze(read(parsed(text))) }
    return latest.value
  }
}
