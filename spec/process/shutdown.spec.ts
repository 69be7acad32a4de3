import { setTimeout as sleep } from 'node:timers/promises'
import { cliApp, TASKS_FILE, type CliApp, type Running } from '../support/cli-app'

const WORKER = ['db_worker', '--no-startup-delay', '--interval', '0.1']
const DONE = { code: 0, signal: null }

const HOSTILE = `${TASKS_FILE}
  task('app.unlisten', async (ms) => {
    const mine = () => {}
    process.on('SIGTERM', mine).off('SIGTERM', mine)
    const listeners = process.listeners('SIGINT')
    process.removeAllListeners('SIGTERM').removeAllListeners('SIGINT')
    await new Promise((wake) => setTimeout(wake, 50))
    for (const listener of listeners) process.on('SIGINT', listener)
    await new Promise((wake) => setTimeout(wake, ms))
  })
  task('app.stray', async (ms) => {
    setTimeout(() => Promise.reject(new RangeError('nobody waits for this')), 50)
    await new Promise((wake) => setTimeout(wake, ms))
  })
  task('app.throwLater', async (ms) => {
    setTimeout(() => { throw new RangeError('nobody catches this') }, 50)
    await new Promise((wake) => setTimeout(wake, ms))
  })`

describe('an idle worker', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
    'ends at once on %s, with one line',
    async (signal) => {
      const app = await cliApp()
      const worker = app.start('db_worker', '--no-startup-delay', '--interval', '60')
      await worker.says('Starting worker')
      await sleep(100)

      const before = performance.now()
      worker.kill(signal)

      expect(await worker.exited).toEqual(DONE)
      // It would wait for its next poll, a minute away, if it did not.
      expect(performance.now() - before).toBeLessThan(5_000)
      expect(worker.log.split('\n').slice(1)).toEqual([
        `Received ${signal} - shutting down gracefully... (press Ctrl+C again to force)`,
        '',
      ])
    },
  )

  it('ends at once while it waits at its start', async () => {
    const app = await cliApp()
    const worker = app.start('db_worker')
    await worker.says('Starting worker')

    worker.kill('SIGTERM')

    expect(await worker.exited).toEqual(DONE)
  })
})

describe('a worker at work', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
    'finishes its task upon %s and takes no other',
    async (signal) => {
      const { app, worker, ids } = await atWork('app.sleep', [[700], [1]], '--concurrency', '1')

      worker.kill(signal)

      expect(await worker.exited).toEqual(DONE)
      expect((await app.row(ids[0]!)).status).toBe('SUCCESSFUL')
      expect((await app.row(ids[1]!)).status).toBe('READY')
    },
  )

  it('is not hurried by more SIGTERMs', async () => {
    const { app, worker, ids } = await atWork('app.sleep', [[900]])

    for (const _ of [1, 2, 3]) {
      worker.kill('SIGTERM')
      await sleep(100)
    }

    expect(await worker.exited).toEqual(DONE)
    expect((await app.row(ids[0]!)).status).toBe('SUCCESSFUL')
  })

  it('leaves at once upon a second SIGINT, with 130, and gives back what it ran', async () => {
    const { app, worker, ids } = await atWork('app.sleep', [[60_000]])
    worker.kill('SIGINT')
    await worker.says('shutting down gracefully')

    worker.kill('SIGINT')

    expect(await worker.exited).toEqual({ code: 130, signal: null })
    expect(await app.row(ids[0]!)).toMatchObject({
      status: 'READY',
      workerIds: [],
      leaseUntil: null,
    })
  })

  it('gives a task back that does not end within --shutdown-timeout, and says so by 1', async () => {
    const { app, worker, ids } = await atWork('app.sleep', [[60_000]], '--shutdown-timeout', '0.2')

    worker.kill('SIGTERM')

    expect(await worker.exited).toEqual({ code: 1, signal: null })
    expect(worker.log).toContain('Waiting for 1 running task, at most 0.2 s\n')
    expect(worker.log).toContain(
      `Task id=${ids[0]} path=app.sleep has not finished and is given back`,
    )
    expect(await app.row(ids[0]!)).toMatchObject({
      status: 'READY',
      workerIds: [],
      leaseUntil: null,
    })
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'still obeys %s after a task has removed all listeners',
    async (signal) => {
      const { app, worker, ids } = await atWork('app.unlisten', [[600]])
      await sleep(200)

      worker.kill(signal)

      expect(await worker.exited).toEqual(DONE)
      expect((await app.row(ids[0]!)).status).toBe('SUCCESSFUL')
    },
  )

  it.each([
    ['app.stray', 'RangeError: nobody waits for this'],
    ['app.throwLater', 'RangeError: nobody catches this'],
  ])('stops in order, with 1, when %s leaves an error behind', async (name, error) => {
    const { app, worker, ids } = await atWork(name, [[500]])

    expect(await worker.exited).toEqual({ code: 1, signal: null })
    expect(worker.log).toContain(`Uncaught error: ${error}`)
    expect((await app.row(ids[0]!)).status).toBe('SUCCESSFUL')
  })

  it('leaves a row RUNNING when it is killed', async () => {
    const { app, worker, ids } = await atWork('app.sleep', [[60_000]])

    worker.kill('SIGKILL')

    expect(await worker.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect((await app.row(ids[0]!)).status).toBe('RUNNING')
  })
})

/** A worker that has started the first of these calls. */
async function atWork(
  name: string,
  calls: unknown[][],
  ...args: string[]
): Promise<{ app: CliApp; worker: Running; ids: string[] }> {
  const app = await cliApp({ files: { 'tasks.js': HOSTILE } })
  const ids = await app.enqueue(name, calls)
  const worker = app.start(...WORKER, ...args)
  await worker.says(`id=${ids[0]} path=${name} state=RUNNING`)
  return { app, worker, ids }
}
