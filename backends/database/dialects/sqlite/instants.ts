/** So many milliseconds after now, or after another instant; NULL for NULL. */
export function inMs(ms: string, from = "'now'"): string {
  return instantAt(from, `'+' || (${ms} / 1000.0) || ' seconds'`)
}

/** The database's time as Django writes it: six digits, and no fraction when it is zero. */
export function instant(...modifiers: string[]): string {
  return instantAt("'now'", ...modifiers)
}

function instantAt(from: string, ...modifiers: string[]): string {
  return `replace(strftime(${["'%Y-%m-%d %H:%M:%f000'", from, ...modifiers].join(', ')}), '.000000', '')`
}
