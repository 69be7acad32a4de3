/** The options that node was started with here, for a child of the same kind: loaders, limits of memory. Not a debugger's port, which is taken, and no script of the command line. */
export function ownArguments(given: readonly string[] = process.execArgv): string[] {
  return given.filter(
    (argument, at) =>
      !/^--(inspect|debug)/.test(argument) && !isScript(argument) && !isScript(given[at - 1] ?? ''),
  )
}

function isScript(argument: string): boolean {
  return ['-e', '--eval', '-p', '--print', '-pe'].includes(argument)
}
