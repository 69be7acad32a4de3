import type { Command } from 'commander'
import { option } from '../command'
import { inNames, oneOf, queueNamesOrAll, text, wholeNumber } from '../option-parsers'

const STATUSES = ['READY', 'WAITING', 'RUNNING', 'FAILED', 'SUCCESSFUL'] as const
export type ListedStatus = (typeof STATUSES)[number]

/** The options of the list of results. */
export function withListOptions(command: Command): Command {
  return command
    .addOption(
      option('--status <status>', `Only this status: ${STATUSES.join(', ')}.`, (name) =>
        oneOf<ListedStatus>(name, STATUSES),
      ),
    )
    .addOption(
      option(
        '--queue-name <names>',
        "Only these queues, separated by commas; '*' for all.",
        queueNamesOrAll,
        '*',
        inNames,
      ),
    )
    .addOption(option('--task <name>', 'Only results of this task.', text))
    .addOption(
      option('--before <id>', 'Only results older than this one, for the next page.', text),
    )
    .addOption(
      option(
        '--limit <number>',
        'Maximum number of results.',
        (name) => wholeNumber(name, { least: 1, most: 100_000 }),
        20,
      ),
    )
    .addOption(
      option(
        '--within <number>',
        'Look at this many results only, the newest first; 0 looks at all.',
        (name) => wholeNumber(name, { least: 0 }),
        20_000,
      ),
    )
    .addOption(
      option(
        '--backend <alias>',
        "Alias in TASKS of the backend. (default: of a list every backend's rows in the first place that TASKS names; of an id wherever it is)",
        text,
      ),
    )
    .option('--watch', 'Look each second until Ctrl+C; in a pipe a line for each change.')
    .option('--json', 'Print JSON with all fields.')
}
