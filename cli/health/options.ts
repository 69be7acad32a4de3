import { Option } from 'commander'
import { option } from '../command'
import { metricsOptions } from '../metrics/options'
import { text, wholeNumber } from '../option-parsers'

/** Who may look whether the worker is live and ready, and collect its metrics. */
export function probeOptions(): Option[] {
  return [
    option(
      '--health-port <number>',
      'Port that answers GET /livez, /readyz and /startupz; 0 takes a free one. (default: none)',
      (name) => wholeNumber(name, { least: 0, most: 65_535 }),
    ),
    option(
      '--health-host <address>',
      'Address of that port; 0.0.0.0 for probes from outside of a container. (default: 127.0.0.1)',
      text,
    ),
    option(
      '--health-file <file>',
      'File that is written every 2 seconds, for npx tasks health. (default: none)',
      text,
    ),
    ...metricsOptions(),
    new Option('--supervised', 'Set by the supervisor of --processes.').hideHelp(),
  ]
}
