/** The same in every copy of the library that is loaded in this process. */
const KEY = Symbol.for('typeorm-tasks.command')

const all = globalThis as { [KEY]?: string }

/**
 * The command of `npx tasks` that has loaded the app in this process, such as `'db_worker'` or `'makemigrations'`; undefined
 * where the app was started in another way. For files that start a server when they are loaded.
 */
export function runningCommand(): string | undefined {
  return all[KEY]
}

export function setRunningCommand(name: string): void {
  all[KEY] = name
}
