import { Command } from 'commander'
import { UsageError } from '../../lib/errors/errors'
import { doing, examples, type Globals, option } from '../command'
import { late } from '../lazy'
import { text, wholeNumber } from '../option-parsers'
import { print, tell } from '../output'

interface DashboardCommandOptions extends Globals {
  readonly port: number
  readonly host: string
  readonly readOnly?: boolean
  readonly open?: boolean
  readonly tokenFile?: string
}

export function dashboardCommand(): Command {
  return new Command('dashboard')
    .summary('serve a page that shows tasks')
    .description(
      'Serves a page that shows tasks, queues, workers and schedules, and changes them. Prints its link, which holds a token: whoever has the link can do all of that.',
    )
    .addOption(
      option(
        '--port <number>',
        'Port to listen on; 0 takes a free one.',
        (name) => wholeNumber(name, { least: 0, most: 65_535 }),
        4747,
      ),
    )
    .addOption(
      option(
        '--host <address>',
        'Address to listen on. One that other machines reach needs --token-file.',
        text,
        '127.0.0.1',
      ),
    )
    .option('--read-only', 'Show everything; change nothing.')
    .option('--open', 'Open the page in a browser.')
    .addOption(
      option(
        '--token-file <file>',
        'File that holds the token, of at least 20 characters. (default: a new one each time)',
        text,
      ),
    )
    .addHelpText(
      'after',
      examples(
        'npx tasks dashboard --open',
        'npx tasks dashboard --host 0.0.0.0 --token-file /run/secrets/tasks-token',
      ),
    )
    .action(doing(serve))
}

async function serve(options: DashboardCommandOptions): Promise<number> {
  const { host, port, readOnly = false, tokenFile } = options
  const { isLoopback, newToken, openBrowser, servePage, tokenIn } = late.dashboard()
  if (tokenFile === undefined && !isLoopback(host))
    throw new UsageError(
      `argument --host: other machines reach ${host}, and the token of the link would go over the network, the same for all who look.`,
      'Choose it: write one of 20 characters or more into a file, for --token-file.',
    )
  const token = tokenFile === undefined ? newToken() : tokenIn(tokenFile)
  const { withApp } = late.openedApp()
  return withApp(options, async () => {
    const served = await servePage({ host, port, token, isReadOnly: readOnly })
    const link = `${served.url}#token=${token}`
    // A token that is kept for long does not belong into the log of a service.
    print(tokenFile === undefined ? link : served.url)
    if (tokenFile !== undefined) tell(`Add #token= to it, with what is in ${tokenFile}.`)
    tell('Press Ctrl+C to end it.')
    if (options.open) openBrowser(link)
    await served.ended
    return 0
  })
}
