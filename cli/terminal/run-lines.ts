import { briefName } from '../../lib/errors/suggestions'
import { log } from '../../lib/events/logger'
import type { Watch } from '../../lib/worker/chores/watching'
import { elapsed, portionOf } from './portion'

/** Least time in ms between two lines about one run. */
const PAUSE_MS = 5_000

/** Writes a log line when the progress of a run has changed. */
export function runLines(): Watch {
  let told = new Map<string, { ms: number; text: string }>()
  return (runs) => {
    const next = new Map<string, { ms: number; text: string }>()
    for (const { id, taskName, ms, progress } of runs) {
      const before = told.get(id)
      const note = progress.note === null ? '' : ` note=${progress.note}`
      const text = `progress=${portionOf(progress)}${note}`
      const isDue = !before || (before.text !== text && ms - before.ms >= PAUSE_MS)
      next.set(id, isDue ? { ms, text } : before)
      if (isDue)
        log.info(`Task id=${id} path=${briefName(taskName)} elapsed=${elapsed(ms)} ${text}`)
    }
    told = next
  }
}
