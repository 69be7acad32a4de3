import { setTimeout as sleep } from 'node:timers/promises'
import { DoNotRetry, task, type TaskContext } from 'typeorm-tasks'
import { dataSource } from './data-source'
import { Report } from './report.entity'

/** The work is done in so many parts, each of which stands for 0.3 s of computation: too long for a web request. */
const PARTS = 20

export const buildReport = task(
  'report.buildReport',
  async ({ reportProgress, signal }: TaskContext, reportId: number) => {
    const reports = dataSource.getRepository(Report)
    const { csv, name } = await reports.findOneByOrFail({ id: reportId })
    const [, ...lines] = csv.trim().split('\n')
    // The page shows the message of this error; of other errors it shows a general sentence.
    if (lines.length === 0) throw new DoNotRetry(`${name} has no rows below its header.`)

    for (let part = 1; part <= PARTS; part++) {
      // The signal aborts when somebody cancels the task.
      await sleep(300, undefined, { signal })
      reportProgress(part, PARTS, `part ${part} of ${PARTS}`)
    }
    const total = lines.reduce((sum, line) => sum + Number(line.split(',').at(-1)), 0)
    await reports.update(reportId, { total })
    return { rows: lines.length, total }
  },
  { takesContext: true },
)
