import { LoadError } from '../errors/errors'
import { loadFault } from '../errors/error-record'
import { shown } from '../errors/suggestions'
import { log } from '../events/logger'
import { hasTypeScriptHook, loadModule, resolveModule } from './load-module'
import { tasks } from '../registry'
import { appRoot } from '../settings/configure'
import { globbed, isCode } from '../tasks/globs'

/**
 * Loads the files that define an app's tasks, as the command line does with TASK_MODULES.
 *
 * @param entries globs, or names of packages, from the folder of the app's package.json
 * @throws LoadError for an entry that matches nothing, and for a file that does not load
 */
export async function loadTaskModules(entries: readonly string[]): Promise<void> {
  const root = appRoot()
  const found = await Promise.all(entries.map((entry) => filesOf(entry, root)))
  for (const file of [...new Set(found.flat())].toSorted()) await load(file)
  if (tasks.names().length === 0)
    log.warn(
      'The worker knows no task. Import the files that define them before it starts, or name them in its option taskModules.',
    )
}

async function filesOf(entry: string, root: string): Promise<string[]> {
  const found = runnable((await globbed(entry, root)).filter(isCode))
  if (found.length > 0) return found
  const file = resolveModule(entry, root)
  if (file !== undefined) return [file]
  throw new LoadError(
    `taskModules: ${shown(entry)} matches no file below ${root}, and no package there has that name.`,
    "Correct the glob; it is relative to that folder. One relative to a file: join(__dirname, '*.tasks.js').",
  )
}

/** Of a source and its compiled file only one, since both define the same tasks. */
function runnable(files: readonly string[]): string[] {
  const sources = files.filter((file) => file.endsWith('ts'))
  const compiled = files.filter((file) => file.endsWith('js'))
  if (!hasTypeScriptHook()) return compiled.length > 0 ? compiled : sources
  return [...sources, ...compiled.filter((file) => !sources.includes(file.replace(/js$/, 'ts')))]
}

async function load(file: string): Promise<void> {
  try {
    await loadModule(file)
  } catch (cause) {
    throw new LoadError(
      `${file}, of taskModules, does not load: ${loadFault(cause)}.`,
      file.endsWith('ts') && !hasTypeScriptHook()
        ? 'Name the compiled file, or start Node with a loader for TypeScript.'
        : 'Fix the error there.',
      { cause },
    )
  }
}
