import { type Globals, openBeside } from './open-app'
import { setVerbosity } from '../output'

/** What the child processes of `db_worker` load: the app, as the command itself does. */
export async function prepare(globals: Globals): Promise<() => Promise<void>> {
  setVerbosity(globals.verbosity)
  return openBeside(globals)
}
