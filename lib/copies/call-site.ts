import { fileURLToPath } from 'node:url'

/** Where something was called: `file:line:column` of the calls that led to it, the innermost first. */
export type Place = readonly string[]

/** More frames than any wrapper around `task` has. */
const MOST_FRAMES = 10
const UNKNOWN = 'an unknown file'

/**
 * Where `callee` was called. Up to the first frame of Node itself, which loaded the module: what required that module does
 * not matter. By the function and not by the library's folder, which is the app's own in a bundle.
 */
export function placeOfCall(callee: (...given: never[]) => unknown): Place {
  const lines = framesAbove(callee)
  const end = lines.findIndex((line) => /[ (]node:/.test(line))
  return (end === -1 ? lines : lines.slice(0, end)).map(positionIn).filter((at) => at !== undefined)
}

/** The file of the code that calls this, as it is at run time. */
export function fileHere(): string {
  const [first] = placeOfCall(fileHere)
  return first?.replace(/(:\d+){2}$/, '') ?? UNKNOWN
}

/** The first call by which two places differ, of both; undefined if they are the same. */
export function difference(one: Place, other: Place): [string, string] | undefined {
  const at = one.findIndex((position, i) => i < other.length && position !== other[i])
  const [mine, theirs] = [one[at], other[at]]
  if (mine === undefined || theirs === undefined) return undefined
  const [shortOne, shortOther] = [withoutColumn(mine), withoutColumn(theirs)]
  return shortOne === shortOther ? [mine, theirs] : [shortOne, shortOther]
}

function framesAbove(callee: (...given: never[]) => unknown): string[] {
  const limit = Error.stackTraceLimit
  const holder = { stack: '' }
  Error.stackTraceLimit = MOST_FRAMES
  Error.captureStackTrace(holder, callee)
  Error.stackTraceLimit = limit
  return String(holder.stack).split('\n').slice(1)
}

function positionIn(line: string): string | undefined {
  const frame = line.trim().replace(/^at (?:async )?/, '')
  const where = frame.endsWith(')') ? frame.slice(frame.indexOf(' (') + 2, -1) : frame
  const [, file = '', position = ''] = /^(.*?)((?::\d+){2})$/.exec(where) ?? []
  return file === '' ? undefined : pathOf(file) + position
}

/** Without the query with which an ES module is loaded anew. */
function pathOf(file: string): string {
  try {
    return file.startsWith('file:') ? fileURLToPath(file) : file
  } catch {
    return file
  }
}

function withoutColumn(position: string): string {
  return position.replace(/:\d+$/, '')
}
