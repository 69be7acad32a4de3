import type { ArgumentQuery } from '../browser'
import { isRecord } from '../errors/option-checks'
import type { ResultValues } from '../row/record'

type Call = Pick<ResultValues, 'args' | 'kwargs'>
type Told = Call & Pick<ResultValues, 'taskName' | 'errors'>

/** Whether an argument has the value. A path begins with the place of an argument, or with the name of a keyword argument. */
export function hasArgument({ args, kwargs }: Call, { path, value }: ArgumentQuery): boolean {
  let found: unknown = /^\d+(\.|$)/.test(path) ? args : kwargs
  for (const name of path.split('.')) {
    if (!Array.isArray(found) && !isRecord(found)) return false
    found = Object.hasOwn(found, name) ? Reflect.get(found, name) : undefined
  }
  if (found === undefined) return false
  return (typeof found === 'string' ? found : jsonOf(found)) === value
}

/** Whether a text is in the arguments, the name or the last error, in any case of letters. */
export function hasText({ args, kwargs, taskName, errors }: Told, text: string): boolean {
  const { exceptionClassPath = '', traceback = '' } = errors.at(-1) ?? {}
  return [jsonOf(args), jsonOf(kwargs), taskName, exceptionClassPath, traceback]
    .join('\n')
    .toLowerCase()
    .includes(text.toLowerCase())
}

/** Values that are nested too deeply for it, as another program may have written them, are not searched. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof RangeError) return ''
    throw error
  }
}
