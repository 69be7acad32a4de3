import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { UsageError } from '../lib/errors/errors'
import { didYouMean, shown } from '../lib/errors/suggestions'
import { setRunningCommand } from '../lib/copies/running-command'
import { lateCommands } from './commands'
import { keepStdoutForAnswer, leave, printError, setVerbosity } from './output'
import { text, wholeNumber } from './option-parsers'
import { finished, watchEnd } from './unfinished'

/** Runs the command in `argv` and exits with its exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  process.on('uncaughtException', (error) => failUnlessHandled(error))
  watchEnd(exitCodeOf)
  try {
    const meant = djangosName([...argv], Object.keys(lateCommands))
    await program(namedIn(meant)).parseAsync(meant)
    leaveWith(Number(process.exitCode ?? 0))
  } catch (error) {
    leaveWith(exitCodeOf(error))
  }
}

function program(commands: readonly Command[]): Command {
  const tasks = new Command('tasks')
    .description("Background tasks for TypeORM apps: the app's own database is the queue.")
    .version(version(), '--version', 'Print the version of typeorm-tasks.')
    .addOption(
      new Option(
        '-d, --data-source <file>',
        'TypeScript or JavaScript file that exports the DataSource. (default: the first that exists of ormconfig, data-source, src/data-source, src/database/data-source, src/db/data-source)',
      ).argParser(text('--data-source')),
    )
    .addOption(
      new Option(
        '-v, --verbosity <level>',
        'Output level: 0 command errors only, 1 normal, 2 verbose, 3 debug with stack traces.',
      )
        .argParser(wholeNumber('--verbosity', { least: 0, most: 3 }))
        .default(1),
    )
    .hook('preAction', prepareOutput)
    .addHelpText('after', HELP)
  tasks.on('command:*', ([name = '']: string[]) => {
    throw unknownCommand(name, Object.keys(lateCommands))
  })
  for (const command of commands) tasks.addCommand(command)
  for (const command of [tasks, ...commands, ...commands.flatMap((each) => each.commands)])
    shared(command)
  return tasks
}

/** The answer of a worker is what its tasks do, so their output to stdout stays there. */
function prepareOutput(tasks: Command, called: Command): void {
  const isWorker = called.name() === 'db_worker'
  setRunningCommand((called.parent === tasks ? called : (called.parent ?? called)).name())
  setVerbosity(tasks.opts<{ verbosity: number }>().verbosity, isWorker)
  if (!isWorker) keepStdoutForAnswer()
}

/** Only the called command, to save the time of loading the others; all commands if the help may list them. */
function namedIn(argv: readonly string[]): Command[] {
  const all = Object.entries(lateCommands)
  const named = all.filter(([name]) => argv.includes(name))
  const isAlone = named.length > 0 && !argv.some((arg) => ['-h', '--help', 'help'].includes(arg))
  return (isAlone ? named : all).map(([, load]) => load())
}

/** What people type who know other tools, or who leave a part out. */
const MEANT: Readonly<Record<string, string>> = {
  retry: 'results retry',
  cancel: 'results cancel',
  show: 'results show',
  list: 'results',
  ls: 'results',
  status: 'results',
  prune: 'prune_db_task_results',
  worker: 'db_worker',
  migrations: 'makemigrations',
  migrate: 'makemigrations',
  probe: 'health',
  healthcheck: 'health',
  setup: 'init',
  install: 'init',
  beat: 'schedules',
  cron: 'schedules',
  ui: 'dashboard',
  web: 'dashboard',
  page: 'dashboard',
}

function unknownCommand(name: string, known: readonly string[]): UsageError {
  const meant = Object.hasOwn(MEANT, name)
    ? `Did you mean "${MEANT[name]}"?`
    : didYouMean(name, known)
  return new UsageError(
    `unknown command ${shown(name)}.`,
    [meant, 'See npx tasks --help.'].join(' ').trim(),
  )
}

/** Replaces hyphens in the command's name: `db-worker` is `db_worker`. */
function djangosName(argv: string[], names: readonly string[]): string[] {
  const meant = argv.map((arg) =>
    arg.replaceAll('-', '_').replace('make_migrations', 'makemigrations'),
  )
  const at = meant.findIndex((name) => names.includes(name))
  return at < 0 ? argv : argv.with(at, meant[at] ?? '')
}

const HELP = `
Command names may use hyphens: \`tasks db-worker\`.
\`npx typeorm-tasks\` is the same, where \`npx tasks\` could be another package.
Exit codes: 0 success, 1 failure, 2 wrong usage, 130 forced by a second Ctrl+C.

Example:
  $ npx tasks db_worker --queue-name default,mail`

/** Settings of every command. */
function shared(command: Command): void {
  command
    .exitOverride()
    .helpOption('-h, --help', 'Print this help.')
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (sub) =>
        [
          sub.name(),
          ...sub.registeredArguments.map((argument) =>
            argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
          ),
        ].join(' '),
    })
}

/** Commander prints its own errors. It also throws after printing help or the version, with exit code 0. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  printError(error)
  return error instanceof UsageError ? 2 : 1
}

/** A worker has its own handler for uncaught errors; every other command exits. */
function failUnlessHandled(error: unknown): void {
  if (process.listenerCount('uncaughtException') > 1) return
  printError(error)
  leaveWith(1)
}

function leaveWith(code: number): void {
  finished()
  leave(code)
}

function version(): string {
  return (
    JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { version: string }
  ).version
}
