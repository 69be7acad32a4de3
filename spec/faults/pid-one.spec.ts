import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { databases } from '../support/databases'
import { Field } from './kit/field'

/** As a container has it: the worker is the first process of its namespace, and nobody stands between. */
const AS_PID_ONE = ['unshare', '--pid', '--fork', '--kill-child']

const database = databases()[0]!
const isAble = ((): boolean => {
  try {
    return (
      execFileSync(
        AS_PID_ONE[0]!,
        [...AS_PID_ONE.slice(1), process.execPath, '-p', 'process.pid'],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      ).trim() === '1'
    )
  } catch {
    return false
  }
})()
if (!isAble)
  process.stderr.write(
    '\n*** F26 is skipped: only root on Linux may make a process the first of a namespace. ***\n\n',
  )

;(isAble ? it : it.skip)(
  'F26 a worker that is process 1 of a container finishes its task upon SIGTERM, and ends with 0',
  async () => {
    const field = await Field.open(database.name, await database.fresh())
    try {
      const [id] = await field.enqueue('sleep', [[1_000]])
      const worker = await field.worker([], { command: (line) => [...AS_PID_ONE, ...line] })
      await field.sees('start')
      expect(field.events[0]!.pid).toBe(1)

      process.kill(childOf(worker.pid), 'SIGTERM')

      expect(await worker.ended).toEqual({ code: 0, signal: null })
      expect((await field.row(id!)).status).toBe('SUCCESSFUL')
      await field.verify()
    } finally {
      await field.close()
    }
  },
  60_000,
)

/** Whom `unshare` has started, by the number that this namespace knows it by. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
}
