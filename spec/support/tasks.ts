import { setTimeout as sleep } from 'node:timers/promises'
import { task } from '#define'
import { type Logger, setLogger } from '#logger'

/** Gives back what it got. */
export const echo = task('spec.echo', (value: unknown) => value)

export const add = task('spec.add', async (a: number, b: number = 10) => a + b)

export const nothing = task('spec.nothing', () => {})

/** Gives back its keyword arguments, which arrive as one last object. */
export const keywords = task('spec.keywords', (...given: unknown[]) => given)

export const fail = task('spec.fail', (message: string): never => {
  throw new RangeError(message)
})

/** Returns what JSON cannot carry, though its type does not tell. */
export const unfit = task('spec.unfit', (): unknown => ({ when: new Date(0) }))

/** Says what its context says, and reports its progress. */
export const contextual = task(
  'spec.contextual',
  (context, note: string) => {
    context.reportProgress(1, 2, note)
    return { id: context.taskResult.id, attempt: context.attempt, aborted: context.signal.aborted }
  },
  { takesContext: true },
)

/** Works until it is asked to stop, then says why. */
export const patient = task(
  'spec.patient',
  async (context) => {
    await sleep(60_000, undefined, { signal: context.signal, ref: false }).catch(() => {})
    return String(context.signal.reason)
  },
  { takesContext: true },
)

/** A log line and its level. */
export type Line = [keyof Logger, string]

/** Catches the library's log lines from now on. */
export function catchLog(): Line[] {
  const lines: Line[] = []
  const at = (level: keyof Logger) => (message: string) => void lines.push([level, message])
  setLogger({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') })
  return lines
}
