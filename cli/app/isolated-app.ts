import type { Globals } from '../command'
import { setVerbosity } from '../output'
import { openBeside } from './open-app'

/** What the child processes of `db_worker` load: the app, as the command itself does. */
export async function prepare(globals: Globals): Promise<() => Promise<void>> {
  setVerbosity(globals.verbosity)
  return openBeside(globals)
}
