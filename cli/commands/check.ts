import { Command } from 'commander'
import type { Problem } from '../../lib/backend'
import { tasks } from '../../lib/registry'
import { backends } from '../../lib/backend-registry'
import type { LoadedApp } from '../app/open-app'
import { doing, examples, type Globals } from '../command'
import { late } from '../lazy'
import { isWanted, print, tell } from '../output'

export function checkCommand(): Command {
  return new Command('check')
    .summary('check the set-up')
    .description(
      'Checks configuration, connection, table, indexes, time zones and task files. Prints each problem and its fix; exits 1 on errors, 0 on warnings. With -v 2 it also lists the tasks it found.',
    )
    .addHelpText('after', examples('npx tasks check -v 2'))
    .action(doing(check))
}

async function check(options: Globals): Promise<number> {
  const { withApp } = late.openedApp()
  const { problemLines } = late.servedBackend()
  return withApp(options, async (app) => {
    // One that stands on others would say again what they say.
    const checked = backends.all().filter(({ servedBy }) => servedBy === null)
    const ofBackends = await Promise.all(checked.map((backend) => backend.check()))
    const problems = once([...ofBackends.flat(), ...(await taskProblems(app))])
    for (const problem of problems) tell(problemLines(problem))
    if (isWanted(2)) for (const name of tasks.names().toSorted()) print(`task ${name}`)
    const errors = problems.filter(({ level }) => level === 'error').length
    print(
      `System check identified ${summary(errors, problems.length - errors)} (${tasks.names().length} task(s), ${backends.all().length} backend(s)).`,
    )
    return errors > 0 ? 1 : 0
  })
}

/** Several backends may be in one database. */
function once(problems: readonly Problem[]): Problem[] {
  const byText = new Map(problems.map((each) => [JSON.stringify(each), each]))
  return [...byText.values()]
}

/** An app that only enqueues tasks of other apps has files with them, but defines none. */
async function taskProblems(app: LoadedApp): Promise<Problem[]> {
  if (tasks.names().length > 0) return []
  const { what: message, hint } = await late.noTasks().noTasks(app, app.taskFiles)
  return [{ level: app.taskFiles.length === 0 ? 'error' : 'warning', message, hint }]
}

function summary(errors: number, warnings: number): string {
  if (errors === 0 && warnings === 0) return 'no issues'
  return `${errors} error(s) and ${warnings} warning(s)`
}
