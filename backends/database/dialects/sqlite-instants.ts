/** The database's time as Django writes it: six digits, and no fraction when it is zero. */
export function instant(...modifiers: string[]): string {
  return `replace(strftime(${["'%Y-%m-%d %H:%M:%f000'", "'now'", ...modifiers].join(', ')}), '.000000', '')`
}
