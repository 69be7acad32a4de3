import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common'
import { InvalidSettingsError, type TaskBackend } from '../../index'
import { backends } from '../../lib/backend-registry'
import { onePerProcess } from '../../lib/copies/one-per-process'

interface Entry {
  isRunning: boolean
  leave(): void
}

/** The app whose tasks, schedules, middleware and TASKS this process has. */
const present = onePerProcess('nestjs app', () => ({ entry: undefined as Entry | undefined }))

const HINT =
  'Await close() of that app before this one is made, in tests in afterEach or afterAll; or run this one in a process of its own.'

/** What an app has of its process as long as it is open. */
@Injectable()
export class OpenApp implements OnApplicationShutdown {
  readonly #returns: (() => void)[] = []
  #own: readonly TaskBackend[] = []
  readonly #entry: Entry = { isRunning: false, leave: () => this.#leave() }

  /**
   * An app that failed to start is never shut down: what is left of it must not meet the next one, as in tests.
   *
   * @throws InvalidSettingsError while another app runs.
   */
  enter(): void {
    if (present.entry?.isRunning)
      throw new InvalidSettingsError(
        'Another app with TasksModule is open in this process, and a process has tasks, schedules and TASKS once.',
        HINT,
      )
    present.entry?.leave()
    present.entry = this.#entry
    const earlier = backends.configured
    this.#returns.push(() => backends.configure(earlier))
  }

  /** The backends of TASKS, as they are now, are closed at the app's end: some hold connections of their own. */
  ownsBackends(): void {
    this.#own = [...(backends.configured?.values() ?? [])]
  }

  /** The latest first. */
  onLeave(giveBack: () => void): void {
    this.#returns.unshift(giveBack)
  }

  /** @throws InvalidSettingsError if another app was made since. */
  assertPresent(): void {
    if (present.entry !== this.#entry)
      throw new InvalidSettingsError(
        'Another app with TasksModule was made in this process before this one had started, and a process has tasks, schedules and TASKS once.',
        HINT,
      )
  }

  /** From now on no other app may be made. @throws InvalidSettingsError if another one was made since. */
  run(): void {
    this.assertPresent()
    this.#entry.isRunning = true
  }

  /** The next app may be made, which hot reload does before this one has ended. */
  startClosing(): void {
    this.#entry.isRunning = false
  }

  async onApplicationShutdown(): Promise<void> {
    this.#leave()
    await Promise.allSettled(this.#own.map((backend) => backend.close()))
  }

  #leave(): void {
    this.#entry.isRunning = false
    if (present.entry !== this.#entry) return
    present.entry = undefined
    for (const giveBack of this.#returns.splice(0)) giveBack()
  }
}

/** Nest calls the hooks of a global module last at the end, when no other module enqueues any more. */
@Global()
@Module({ providers: [OpenApp], exports: [OpenApp] })
export class OpenAppModule {}
