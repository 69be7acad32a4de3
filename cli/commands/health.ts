import { Command } from 'commander'
import { UsageError } from '../../lib/errors/errors'
import { doing, examples, type Globals, option } from '../command'
import { PROBES, type Probe, type Report } from '../health/report'
import { late } from '../lazy'
import { inSeconds, oneOf, seconds, text, wholeNumber } from '../option-parsers'
import { print, tell } from '../output'

interface HealthCommandOptions extends Globals {
  readonly port?: number
  readonly host: string
  readonly file?: string
  readonly maxAge: number
  readonly probe: Probe
}

export function healthCommand(): Command {
  return new Command('health')
    .summary('probe a worker')
    .description(
      'Asks a worker of this machine whether it is live, and prints its report. Exits with 1 if it is not. It loads nothing of the app.',
    )
    .addOption(
      option('--port <number>', 'Port that db_worker has as --health-port.', (name) =>
        wholeNumber(name, { least: 1, most: 65_535 }),
      ),
    )
    .addOption(option('--host <address>', 'Address of that port.', text, '127.0.0.1'))
    .addOption(option('--file <file>', 'File that db_worker has as --health-file.', text))
    .addOption(
      option(
        '--max-age <seconds>',
        'Seconds after which the file is too old.',
        seconds,
        30_000,
        inSeconds,
      ),
    )
    .addOption(
      option(
        '--probe <name>',
        'What to ask: live, ready or started.',
        (name) => oneOf(name, PROBES),
        'live',
      ),
    )
    .addHelpText(
      'after',
      examples(
        'npx tasks health --port 9464',
        'npx tasks health --file /tmp/tasks.json --probe ready',
      ),
    )
    .action(doing(health))
}

async function health({ port, host, file, maxAge, probe }: HealthCommandOptions): Promise<number> {
  if ((port === undefined) === (file === undefined))
    throw new UsageError(
      port === undefined
        ? 'expected --port or --file.'
        : 'arguments --port and --file: expected one of them.',
      'Give the one that db_worker has as --health-port or --health-file.',
    )
  const { reportOfFile, reportOfPort } = late.askHealth()
  const report =
    port === undefined ? reportOfFile(file ?? '', maxAge) : await reportOfPort(host, port, probe)
  print(JSON.stringify(report))
  if (!report[probe]) tell(`error: the worker is not ${probe}. ${reasons(report)}`.trimEnd())
  return report[probe] ? 0 : 1
}

function reasons({ problems }: Report): string {
  return problems.join(' ')
}
