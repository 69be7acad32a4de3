import { setTimeout as sleep } from 'node:timers/promises'
import { task, type TaskContext } from 'typeorm-tasks'
import { dataSource } from './data-source'
import { Extraction } from './extraction.entity'

const STEPS = 4

/** Stands for 2 s of computation, too long for a web request. */
export const extractSources = task(
  'extraction.extractSources',
  async (context: TaskContext, image: string) => {
    for (let step = 1; step <= STEPS; step++) {
      await sleep(500, undefined, { signal: context.signal })
      context.reportProgress(step, STEPS, `part ${step} of ${image}`)
    }
    const sources = image.length * 7
    await dataSource.getRepository(Extraction).update({ image }, { sources })
    return { sources }
  },
  { takesContext: true },
)
