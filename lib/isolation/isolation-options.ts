import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onePerProcess } from '../copies/one-per-process'
import { InvalidSettingsError, NotSupportedError } from '../errors/errors'
import { encodeJson } from '../arguments/json'
import { assertKnown, settingsSubject, unexpected } from '../errors/option-checks'

export interface IsolationOptions {
  /**
   * The absolute path, or the `file:` URL, of a module that defines the tasks; each child process loads it. If it exports
   * a function `prepare`, that is awaited; what it returns, if that is a function, is called when the process ends in order.
   */
  module: string
  /** What `prepare` is called with: anything that JSON carries. */
  options?: unknown
}

/** Checked: what a child process is started with. */
export interface Isolation {
  readonly module: string
  /** JSON text. */
  readonly options: string
}

/** @throws InvalidSettingsError, NotSerializableError */
export function isolationOf(given: IsolationOptions): Isolation {
  assertKnown(settingsSubject('Worker, isolation'), given, ['module', 'options'])
  const module = pathOf(given.module)
  if (!existsSync(module))
    throw new InvalidSettingsError(
      `Worker, isolation.module: ${module} does not exist.`,
      'Name the file that defines the tasks, as it is at run time.',
    )
  return { module, options: encodeJson(given.options ?? null, 'isolation.options') }
}

function pathOf(module: unknown): string {
  if (typeof module === 'string' && module.startsWith('file:')) return fileURLToPath(module)
  if (typeof module === 'string' && isAbsolute(module)) return module
  const expected = 'an absolute path or a file: URL'
  throw unexpected(settingsSubject('Worker'), 'isolation.module', { expected }, module)
}

const self = onePerProcess('process', () => ({ isChild: false }))

/** Says that this process was made for isolated tasks. */
export function enterChild(): void {
  self.isChild = true
}

/** A worker within a child would make children of its own. @throws NotSupportedError */
export function assertNoChild(): void {
  if (self.isChild)
    throw new NotSupportedError(
      'A worker cannot be started in the child process of an isolated task.',
      'As `isolation.module` name a file that defines the tasks and starts no worker.',
    )
}
