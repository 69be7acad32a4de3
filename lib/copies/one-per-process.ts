import { fileHere } from './call-site'
import { VERSION } from './version'

/** What all copies of the library in this process share. */
interface Shared {
  readonly version: string
  /** The file of the copy that was evaluated first. */
  readonly file: string
  readonly parts: Map<string, unknown>
}

/** The same in every copy, and in every bundle. */
const KEY = Symbol.for('typeorm-tasks')

/**
 * The part of that name: made once in a process, however often this code is evaluated. Bundlers evaluate a package once for
 * each chunk, hot reload does it after each edit, and a package may be installed twice.
 */
export function onePerProcess<Part>(name: string, make: () => Part): Part {
  const { parts } = shared()
  if (!parts.has(name)) parts.set(name, make())
  return parts.get(name) as Part
}

/**
 * Puts the class that was evaluated first in the place of this one, so that `instanceof` and private fields work for
 * instances that another copy has made. The name stays also where a build has shortened it.
 */
export function OneClass(name: string) {
  return <Class extends abstract new (...given: never[]) => unknown>(made: Class): Class =>
    onePerProcess(`class ${name}`, () => Object.defineProperty(made, 'name', { value: name }))
}

function shared(): Shared {
  const all = globalThis as { [KEY]?: Shared }
  return assertSameVersion((all[KEY] ??= { version: VERSION, file: fileHere(), parts: new Map() }))
}

/** A plain Error, since the classes of errors are shared themselves. */
function assertSameVersion(first: Shared): Shared {
  if (first.version === VERSION) return first
  const hint =
    'Use one version: `npm ls typeorm-tasks` shows who asks for which, "overrides" in package.json settles it. After an update restart the process, and build anew what is bundled.'
  const message = `Two versions of typeorm-tasks are loaded in this process: ${first.version} from ${first.file}, and ${VERSION} from ${fileHere()}.`
  throw Object.assign(new Error(`${message} ${hint}`), { code: 'TWO_VERSIONS', hint })
}
