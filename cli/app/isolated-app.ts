import { setRunningCommand } from '../../lib/copies/running-command'
import type { Globals } from '../command'
import { setVerbosity } from '../output'
import { openBeside } from './open-app'

/** Called in child processes of `db_worker`: loads the app as the command does. Returns a function that closes it. */
export async function prepare(globals: Globals): Promise<() => Promise<void>> {
  setRunningCommand('db_worker')
  setVerbosity(globals.verbosity, true)
  return openBeside(globals)
}
