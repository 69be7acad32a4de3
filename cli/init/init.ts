import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline/promises'
import { UsageError } from '../../lib/errors/errors'
import { tell } from '../output'
import { inDatabase, loadApp } from '../app/load-app'
import { findDataSource, shownPath } from './find-data-source'
import { assertMigrationsFolder, type MigrationState, writeMigration } from './migration'
import { appArguments, planOf, type Extras, type Plan, type Target } from './plan'
import { findProject } from './project'
import { foundLines, nextLines, planLines } from './report'
import { rootModule } from './root-module'
import { assertWritable, write } from './write'

export interface InitOptions extends Extras {
  readonly dataSource?: string
  /** Do not ask. */
  readonly yes: boolean
  /** Print what would be written; write nothing. */
  readonly dryRun: boolean
  /** Nest's root module: `src/app.module.ts#AppModule`. Default: found by its name. */
  readonly nest?: string
  readonly print: (line: string) => void
}

/** Sets an app up: new files, a few lines in files of a plain form, a migration. Returns the exit code; a second run changes nothing. */
export async function init(options: InitOptions): Promise<number> {
  assertAnswer(options)
  const project = findProject(process.cwd())
  const nest = rootModule(project, options.nest)
  const app = inDatabase(await loadApp({ dataSource: findDataSource(project, options.dataSource) }))
  try {
    return await setUp({ project, app, ...(nest ? { nest } : {}) }, options)
  } finally {
    await app.close()
    if (app.dataSource.isInitialized) await app.dataSource.destroy()
  }
}

async function setUp(target: Target, options: InitOptions): Promise<number> {
  const { print, dryRun } = options
  assertMigrationsFolder(target.app)
  const plan = planOf(target, options)
  for (const line of [...foundLines(target), ...planLines(plan), '']) print(line)
  if (dryRun) {
    await writeMigration(target.app, { print, dryRun })
    return 0
  }
  await assertWritable(plan.changes)
  if (plan.changes.length > 0 && !options.yes && !(await agreed())) {
    print('Nothing is changed.')
    return 1
  }
  for (const change of plan.changes) {
    await write(change)
    print(`${change.before === undefined ? 'Wrote' : 'Changed'} ${shownPath(change.file)}`)
  }
  const migration = await writeMigration(target.app, { print, dryRun })
  for (const line of nextLines(target, migration)) print(line)
  return ended(target, plan, migration, print)
}

/** The check comes last, in a process that loads the files as they are now. */
function ended(
  target: Target,
  { left }: Plan,
  migration: MigrationState,
  print: (line: string) => void,
): number {
  print('')
  if (left.length > 0 || migration === 'failed') {
    print(
      `Not finished: ${[
        ...(left.length > 0 ? ['add the lines above'] : []),
        ...(migration === 'failed' ? ['the migration is not written'] : []),
      ].join(', and ')}. Then run npx tasks init again.`,
    )
    return 1
  }
  return checked(target, migration, print)
}

/** What check finds while the migration is not applied. */
const NO_TABLE = /^error: The table "[^"]*" (?:does not exist|lacks the columns? )/

function checked(target: Target, migration: MigrationState, print: (line: string) => void): number {
  const [node = process.execPath, script = ''] = process.argv
  const call = [...process.execArgv, script, 'check', ...appArguments(target)]
  const { root, manager } = target.project
  const { status, stdout, stderr } = spawnSync(node, call, { cwd: root, encoding: 'utf8' })
  const told = stderr.split('\n').filter((line) => line !== '')
  const others = told.filter((line) => migration === 'done' || !NO_TABLE.test(line))
  for (const line of others) tell(line)
  const isUnmigrated = others.length < told.length
  const first = migration === 'yours' ? 'Write and apply' : 'Apply'
  print(
    isUnmigrated ? `${first} the migration, then check: ${manager.run} tasks:check` : stdout.trim(),
  )
  return isUnmigrated &&
    migration === 'waiting' &&
    !others.some((line) => line.startsWith('error: '))
    ? 0
    : (status ?? 1)
}

/** Nobody is there to answer in a pipe. @throws UsageError */
function assertAnswer({ yes, dryRun }: InitOptions): void {
  if (!yes && !dryRun && process.stdin.isTTY !== true)
    throw new UsageError(
      'tasks init asks before it writes, and there is no terminal to answer on.',
      'Give --yes to write without a question, or --dry-run to see what would be written.',
    )
}

async function agreed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('n')))
  const answer = await Promise.race([terminal.question('Write this? [Y/n] '), closed])
  terminal.close()
  return /^(y|yes)?$/i.test(answer.trim())
}
