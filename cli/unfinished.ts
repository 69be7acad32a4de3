import { tell } from './output'

/** What a command is doing, as it is named if the process ends meanwhile. */
export interface Stage {
  /** A sentence, for a process that has nothing left to wait for. */
  readonly stuck: string
  /** How to mend that. */
  readonly hint: string
  /** For a process that was ended: follows "process.exit() was called while". */
  readonly during: () => string
  /** It may take long, so nothing is said of it after a while. */
  readonly mayLast?: true
  /** The command has done its work; its exit code. Absent: it has not. */
  readonly code?: number
  /** What the command has failed with, which is not printed yet. */
  readonly failure?: { readonly error: unknown }
}

/** Time in ms after which the user is told what the command waits for. */
const TELL_MS = 10_000

/** Innermost last. */
const stages: Stage[] = []
let isFinished = false
let isDrained = false
let isExitExpected = false

/** The app's file, or one of its tasks, that is loaded. */
export function loading(file: string): Stage {
  return {
    stuck: `${file} never finished loading.`,
    hint: 'It exports or awaits a promise that is never settled, or two files await each other at their top level.',
    during: () => `${file} was loading`,
  }
}

const WORKING: Stage = {
  stuck: 'The command has not finished, and there is nothing left to wait for.',
  hint: 'It awaits a promise of the app that is never settled.',
  during: () => 'the command was at work',
}

/** Awaits `work`. If the process ends meanwhile, the stage says where. */
export async function during<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
  stages.push(stage)
  if (stage.mayLast) return work().finally(() => leaveStage(stage))
  // Neither this timer nor a supervisor keeps the process alive: one that has nothing left to wait for ends, and says so.
  process.channel?.unref()
  const timer = setTimeout(() => tell(`Still waiting: ${stage.during()}.`), TELL_MS).unref()
  try {
    return await work()
  } finally {
    clearTimeout(timer)
    leaveStage(stage)
    process.channel?.ref()
  }
}

function leaveStage(stage: Stage): void {
  stages.splice(stages.lastIndexOf(stage), 1)
}

/** Call before an exit that is meant. */
export function finished(): void {
  isFinished = true
}

/** Call before code of the app that may end the process, such as its own listener for SIGTERM. */
export function expectExit(): void {
  isExitExpected = true
}

/** From now on a process that ends before `finished` says what it was at, and its exit code is no success. */
export function watchEnd(exitCodeOf: (error: unknown) => number): void {
  process.on('beforeExit', () => (isDrained = true))
  process.on('exit', (code) => {
    if (isFinished) return
    const { stuck, hint, during: meanwhile, code: done, failure } = stages.at(-1) ?? WORKING
    if (failure) process.exitCode = exitCodeOf(failure.error)
    if (isDrained) tell(`error: ${stuck} ${hint}`)
    else if (!isExitExpected)
      tell(
        `error: process.exit(${code}) was called while ${meanwhile()}. Remove that call: the command ends by itself.`,
      )
    if (code === 0 && !failure) process.exitCode = done ?? 1
  })
}
