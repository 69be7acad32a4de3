import { Argument, Command } from 'commander'
import { UsageError } from '../../lib/errors/errors'
import { didYouMean, shown } from '../../lib/errors/suggestions'
import { schedules } from '../../lib/schedules/registry'
import type { AnySchedule } from '../../lib/schedules/schedule'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { instant, wholeNumber } from '../option-parsers'
import { print, printMarked, tell } from '../output'
import { asJson as resultAsJson } from '../results/format'
import { asJson, COLUMNS, rowOf, slotAsJson, slotLine } from '../schedule-format'
import { isColoured } from '../terminal/colour'
import { fittedTable } from '../terminal/fitted-table'
import { columnsOf } from '../terminal/width'

interface SchedulesOptions extends Globals {
  readonly json?: boolean
  readonly after?: Date
}

const NONE =
  'The app defines none in the files that are loaded: those of TASK_MODULES, else tasks.ts and *.tasks.ts.'
const PARTS = ['list', 'next', 'run']
const SHOWN_SLOTS = 5
const MOST_SLOTS = 1_000

export function schedulesCommand(): Command {
  return (
    new Command('schedules')
      .summary('list or run schedules, or show when they are due')
      .description('Lists the schedules that the app defines, and when each is due next.')
      .option('--json', 'Print JSON with all fields.')
      .addHelpText(
        'after',
        examples(
          'npx tasks schedules',
          'npx tasks schedules next reports.nightly 5 --after 2026-10-24T00:00:00Z',
          'npx tasks schedules run reports.nightly',
        ),
      )
      // Else commander speaks of too many arguments.
      .allowExcessArguments()
      .hook('preAction', (schedulesOnly, called) => {
        const [word] = called.args
        if (called === schedulesOnly && word !== undefined) throw unknownPart(word)
      })
      .action(doing(list))
      .addCommand(new Command('list').description('The same.').action(doing(list)))
      .addCommand(nextCommand())
      .addCommand(
        new Command('run')
          .description('Enqueues a run of a schedule by hand and prints the id of its result.')
          .argument('<name>', 'Name of the schedule.')
          .addHelpText('after', examples('npx tasks schedules run reports.nightly'))
          .action(doing(run)),
      )
  )
}

function nextCommand(): Command {
  return new Command('next')
    .description('Prints when a schedule is due next, in its time zone and in UTC.')
    .argument('<name>', 'Name of the schedule.')
    .addArgument(
      new Argument('[number]', 'How many times.')
        .argParser(wholeNumber('number', { least: 1, most: MOST_SLOTS }))
        .default(SHOWN_SLOTS),
    )
    .addOption(
      option(
        '--after <when>',
        'Only after a time such as 2030-01-31T18:00:00Z, or a delay such as +30s, +5m, +2h, +1d. (default: now)',
        instant,
      ),
    )
    .addHelpText('after', examples('npx tasks schedules next reports.nightly 10'))
    .action(doing(next))
}

async function list(options: SchedulesOptions): Promise<number> {
  const { withApp } = late.openedApp()
  return withApp(options, async () => {
    const all = schedules.all()
    if (options.json) print(JSON.stringify(all.map(asJson), null, 2))
    else if (all.length === 0) {
      print('No schedules.')
      tell(NONE)
    } else {
      const look = { columns: columnsOf(process.stdout), isColoured: isColoured(process.stdout) }
      printMarked(fittedTable(COLUMNS, all.map(rowOf), look))
    }
    return 0
  })
}

async function next(options: SchedulesOptions, name: string, count: number): Promise<number> {
  const { withApp } = late.openedApp()
  return withApp(options, async () => {
    const schedule = scheduleOf(name)
    const slots = schedule.next(count, options.after)
    if (!schedule.enabled) tell(`${schedule.name} is disabled: no worker fires it.`)
    if (options.json)
      print(
        JSON.stringify(
          slots.map((slot) => slotAsJson(schedule, slot)),
          null,
          2,
        ),
      )
    else for (const slot of slots) print(slotLine(schedule, slot))
    return 0
  })
}

async function run(options: SchedulesOptions, name: string): Promise<number> {
  const { withApp } = late.openedApp()
  return withApp(options, async () => {
    const result = await scheduleOf(name).fire()
    print(options.json ? JSON.stringify(resultAsJson(result), null, 2) : result.id)
    return 0
  })
}

/** `schedules reports.nightly`, or a mistyped `schedules nxt`. */
function unknownPart(word: string): UsageError {
  return new UsageError(
    `unknown command ${shown(`schedules ${word}`)}.`,
    didYouMean(word, PARTS) ??
      'Write `schedules next <name>`, `schedules run <name>`, or `schedules` alone for a list.',
  )
}

function scheduleOf(name: string): AnySchedule {
  const found = schedules.find(name)
  if (found) return found
  const known = schedules.all().map((each) => each.name)
  throw new UsageError(
    `There is no schedule ${shown(name)}.`,
    didYouMean(name, known) ??
      (known.length === 0
        ? NONE
        : 'Run `npx tasks schedules` for a list. Import the file that defines it, or add that file to TASK_MODULES.'),
  )
}
