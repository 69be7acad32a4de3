/**
 * Gives classes their names back, which a minifier shortens: names of errors are stored in rows, sent between processes and
 * compared there; those of other classes are in messages and logs. Written `keepNames({ SomeClass })`: the keys of an object stay.
 */
export function keepNames(
  classes: Readonly<Record<string, abstract new (...given: never[]) => unknown>>,
): void {
  for (const [name, value] of Object.entries(classes))
    if (value.name !== name)
      Object.defineProperty(value, 'name', { value: name, configurable: true })
}
