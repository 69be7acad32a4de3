import { type Command, Option } from 'commander'
import { type Reader, text } from './option-parsers'

/** Options that every command takes. */
export interface Globals {
  readonly dataSource?: string
  /** `file#Export` of a module of Nest, in the place of a data source file. */
  readonly nest?: string
  readonly verbosity: number
}

/** Those options alone, which name the app to a child process. */
export function globalsOf({ dataSource, nest, verbosity }: Globals): object {
  return { dataSource, nest, verbosity }
}

/** An option whose value `reader` parses. `shown` is how the help prints the default `value`. */
export function option<Value>(
  flags: string,
  description: string,
  reader: (name: string) => Reader<Value>,
  value?: Value,
  shown: (value: Value) => string = String,
): Option {
  const made = new Option(flags, description).argParser(reader(flags.split(' ')[0] ?? flags))
  return value === undefined ? made : made.default(value, shown(value))
}

export function backendOption(description: string, alias: string): Option {
  return option('--backend <alias>', description, text, alias)
}

/** An action for commander: calls `work` with all options; the number it returns is the process's exit code. */
export function doing<Options extends Globals, Given extends unknown[] = []>(
  work: (options: Options, ...given: Given) => Promise<number>,
): (...all: unknown[]) => Promise<void> {
  return async (...all) => {
    const command = all.pop() as Command
    all.pop()
    process.exitCode = await work(command.optsWithGlobals<Options>(), ...(all as Given))
  }
}

/** Examples to print below the help. */
export function examples(...lines: string[]): string {
  return [
    '',
    lines.length > 1 ? 'Examples:' : 'Example:',
    ...lines.map((line) => `  $ ${line}`),
  ].join('\n')
}
