import { setTimeout as sleep } from 'node:timers/promises'
import { task } from 'typeorm-tasks'

/** Stands for a slow computation or a call to a slow service: 2 s, too long for a web request. */
export const superComplicatedTask = task(
  'tutorial.super_complicated_task',
  async (context, target) => {
    const notes = ['starting task...', 'still running...', 'still running...', 'done!']
    for (const [step, note] of notes.entries()) {
      console.log(note)
      context.reportProgress(step + 1, notes.length, note)
      await sleep(500, undefined, { signal: context.signal })
    }
    return { target, sources: 42 }
  },
  { takesContext: true },
)
