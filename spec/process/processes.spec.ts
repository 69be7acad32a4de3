import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BackOff } from '#supervised-worker'
import { describeEachDatabase } from '../support/databases'
import {
  cliApp,
  TASKS_FILE,
  until,
  type AppWish,
  type CliApp,
  type Running,
} from '../support/cli-app'

const FLEET = [
  'db_worker',
  '--processes',
  '3',
  '--worker-id',
  'w',
  '--no-startup-delay',
  '--interval',
  '0.1',
]
const DONE = { code: 0, signal: null }

const TASKS = `${TASKS_FILE}
  const { spawn } = require('node:child_process')
  const { existsSync, writeFileSync } = require('node:fs')
  task('app.kill', async () => new Promise(() => process.kill(process.pid, 'SIGKILL')))
  task('app.wait', async () => {
    while (!existsSync(__dirname + '/go')) await new Promise((wake) => setTimeout(wake, 20))
  })
  task('app.exit', async () => process.exit(0))
  task('app.terminate', async () => void process.kill(process.pid, 'SIGTERM'))
  task('app.leaveBehind', async () => {
    writeFileSync(__dirname + '/left', String(spawn('sleep', ['60'], { stdio: 'inherit', detached: true }).pid))
    process.kill(process.pid, 'SIGKILL')
  })
  task('app.stray', async () => void setTimeout(() => Promise.reject(new RangeError('nobody waits for this'))))
  task('app.unlisten', async (ms) => {
    for (const _ of [1, 2]) {
      process.removeAllListeners()
      await new Promise((wake) => setTimeout(wake, ms / 2))
    }
  })
  task('app.block', async () => { for (;;); })
  task('app.breakApp', async () => { writeFileSync(__dirname + '/broken', ''); process.kill(process.pid, 'SIGKILL') })
  if (existsSync(__dirname + '/broken')) throw new Error('the app is broken')`

describe('--processes', () => {
  it('runs so many workers, each under a name of its own, and stops them all', async () => {
    const { app, fleet } = await atWork()
    const ids = await app.enqueue(
      'app.sleep',
      Array.from({ length: 60 }, () => [100]),
    )
    await ended(app, ids)

    fleet.kill('SIGTERM')

    expect(await fleet.exited).toEqual(DONE)
    expect(
      [...new Set((await app.rows()).map(({ workerIds }) => workerIds.join()))].toSorted(),
    ).toEqual(['w-1', 'w-2', 'w-3'])
    expect(fleet.log.match(/Starting worker worker_id=w-\d/g)).toHaveLength(3)
    expect(fleet.log.match(/Received SIGTERM - shutting down gracefully/g)).toHaveLength(3)
  })

  it('gives random names where none is given', async () => {
    const app = await fleetApp()

    const { code, stderr } = await app.tasks(
      'db_worker',
      '--processes=2',
      '--batch',
      '--no-startup-delay',
    )

    const names = [...stderr.matchAll(/Starting worker worker_id=(\w{32}) /g)].map(
      ([, name]) => name,
    )
    expect({ code, names: new Set(names).size }).toEqual({ code: 0, names: 2 })
  })

  it('ends a batch with 0 when nothing is left, even if some died on the way', async () => {
    const app = await fleetApp()
    const dying = await app.enqueue('app.kill', [[], []])
    const ids = await app.enqueue(
      'app.add',
      Array.from({ length: 20 }, () => [1]),
    )

    const { code, stderr } = await app.tasks(...FLEET, '--batch', '--concurrency', '1')

    expect(code).toBe(0)
    expect(stderr.match(/was killed by SIGKILL; a replacement starts in/g)).toHaveLength(2)
    expect(stderr.match(/Exiting gracefully/g)).toHaveLength(3)
    expect(await Promise.all(dying.map(async (id) => (await app.row(id)).status))).toEqual([
      'RUNNING',
      'RUNNING',
    ])
    expect(await Promise.all(ids.map(async (id) => (await app.row(id)).status))).toEqual(
      ids.map(() => 'SUCCESSFUL'),
    )
  })

  it('ends with 0 when each has run its --max-tasks', async () => {
    const app = await fleetApp()
    await app.enqueue(
      'app.add',
      Array.from({ length: 10 }, () => [1]),
    )

    const { code, stderr } = await app.tasks(...FLEET, '--max-tasks', '2')

    expect(code).toBe(0)
    expect(stderr.match(/Run maximum tasks \(2\)/g)).toHaveLength(3)
    expect((await app.rows()).filter(({ status }) => status === 'READY')).toHaveLength(4)
  })

  it('goes with --reload, which starts all anew', async () => {
    const { app, fleet } = await atWork({}, '--reload')

    app.write('helper.js', '')
    await fleet.says('Starting worker', 6)
    fleet.kill('SIGINT')

    expect(await fleet.exited).toEqual(DONE)
    expect(fleet.log.match(/Received SIGINT - shutting down/g)).toHaveLength(3)
  })

  it.each([
    [
      ['--processes', '0'],
      "argument --processes: expected a whole number from 1 to 256, got '0'. See --help.",
    ],
    [
      ['--processes', '257'],
      "argument --processes: expected a whole number from 1 to 256, got '257'. See --help.",
    ],
    [
      ['--processes', '1.5'],
      "argument --processes: expected a whole number from 1 to 256, got '1.5'. See --help.",
    ],
    [
      ['--processes', '10', '--worker-id', 'w'.repeat(62)],
      'argument --worker-id: expected at most 61 characters, got 62: --processes 10 appends -1 to -10. Shorten it.',
    ],
    [
      ['--processes', '2', '--exclude-queues', 'slow'],
      "argument --exclude-queues: only valid with --queue-name '*'. Add --queue-name '*' or remove --exclude-queues.",
    ],
  ])('%j is refused before anything is started', async (args, message) => {
    const app = await fleetApp()

    expect(await app.tasks('db_worker', '--batch', ...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })
})

describe('a worker that dies', () => {
  it.each([
    ['is killed', 'app.kill', 'was killed by SIGKILL'],
    ['calls process.exit(0) in a task', 'app.exit', 'exited with code 1'],
    ['has an error that nothing caught', 'app.stray', 'exited with code 1'],
    ['was told to stop by somebody else', 'app.terminate', 'exited with code 0'],
  ])('is replaced when it %s, under its name, and the others stay', async (_, name, how) => {
    const { app, fleet } = await atWork()
    await app.enqueue(name)

    await fleet.says(how)
    await fleet.says('Starting worker', 4)

    expect(fleet.log).toMatch(
      new RegExp(
        `Worker w-\\d \\(process \\d+\\) ${how}; a replacement starts in 0\\.(0[5-9]|10) s`,
      ),
    )
    const [, dead] = /Worker (w-\d) \(/.exec(fleet.log) ?? []
    const starts = [...fleet.log.matchAll(/worker_id=(w-\d)/g)].map(([, started]) => started)
    expect(starts.slice(0, 3)).toEqual(expect.arrayContaining(['w-1', 'w-2', 'w-3']))
    expect(starts.slice(3)).toEqual([dead])
    fleet.kill('SIGTERM')
    expect(await fleet.exited).toEqual(DONE)
  })

  it('is replaced although a process that it had started lives on', async () => {
    const { app, fleet } = await atWork()
    await app.enqueue('app.leaveBehind')

    await fleet.says('Starting worker', 4)

    process.kill(Number(readFileSync(join(app.root, 'left'), 'utf8')), 'SIGKILL')
    fleet.kill('SIGTERM')
    expect(await fleet.exited).toEqual(DONE)
  })

  it('is replaced later each time, whatever becomes of the others; a stop does not wait for that', async () => {
    const { app, fleet } = await atWork({}, '--concurrency', '1', '--processes', '2')
    // Only one place gets them: the other is busy.
    const [long] = await app.enqueue('app.wait')
    await fleet.says(`id=${long} path=app.wait state=RUNNING`)
    await app.enqueue(
      'app.kill',
      Array.from({ length: 6 }, () => []),
    )

    await fleet.says('was killed by SIGKILL', 6)
    const before = performance.now()
    fleet.kill('SIGTERM')
    app.write('go', '')

    expect(await fleet.exited).toEqual(DONE)
    expect(performance.now() - before).toBeLessThan(1_600)
    const delays = [...fleet.log.matchAll(/a replacement starts in (\S+) s/g)].map(([, delay]) =>
      Number(delay),
    )
    for (const [at, delay] of delays.entries()) {
      expect(delay).toBeGreaterThanOrEqual(0.05 * 2 ** at - 0.005)
      expect(delay).toBeLessThanOrEqual(0.1 * 2 ** at + 0.005)
    }
    expect(fleet.log.match(/Starting worker/g)).toHaveLength(2 + 5)
    expect((await app.row(long!)).status).toBe('SUCCESSFUL')
  })

  it('is not replaced before 30 seconds at last, and soon again once one was at work for ten', () => {
    const backOff = new BackOff()
    const dying = Array.from({ length: 12 }, () => backOff.after(9_999))

    const later = backOff.after(10_000)

    expect(dying.slice(9).every((delay) => delay >= 15_000 && delay <= 30_000)).toBe(true)
    expect(later).toBeLessThanOrEqual(100)
  })

  it('is not replaced if the first never came to work: the mistake is told once', async () => {
    const app = await fleetApp()
    await app.dataSource.query('DROP TABLE db_task_result')

    const { code, stderr } = await app.tasks(...FLEET)

    expect(code).toBe(1)
    expect(stderr.split('\n')).toEqual([expect.stringContaining('db_task_result'), ''])
    expect(await app.tasks(...FLEET, '--backend', 'defualt')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: argument --backend: TASKS has no backend "defualt"; it has "default". Did you mean "default"?\n',
    })
  })

  it('is told of, and ends all, if the first is killed before it came to work', async () => {
    const app = await cliApp({ files: { 'tasks.js': `process.kill(process.pid, 'SIGKILL')` } })

    const { code, stderr } = await app.tasks(...FLEET)

    expect(code).toBe(1)
    expect(stderr).toMatch(/^Worker w-1 \(process \d+\) was killed by SIGKILL; not replaced\n$/)
  })

  it('is given up in a batch when it cannot be started any more', async () => {
    const app = await fleetApp()
    await app.enqueue('app.breakApp')
    await app.enqueue('app.sleep', [[500]])

    const { code, stderr } = await app.tasks(
      ...FLEET,
      '--processes',
      '2',
      '--batch',
      '--concurrency',
      '1',
    )

    expect(code).toBe(1)
    expect(stderr).toMatch(/Worker w-\d \(process \d+\) exited with code 1; not replaced/)
    expect(stderr.match(/the app is broken/g)!.length).toBeGreaterThanOrEqual(5)
    expect(stderr.match(/the app is broken/g)!.length).toBeLessThanOrEqual(10)
  })
})

describe('the supervisor', () => {
  it.each(['SIGTERM', 'SIGQUIT'] as const)(
    'lets four idle workers end at once upon %s',
    async (signal) => {
      const { fleet } = await atWork({}, '--processes', '4', '--interval', '60')
      await sleep(300)

      const before = performance.now()
      fleet.kill(signal)

      expect(await fleet.exited).toEqual(DONE)
      expect(performance.now() - before).toBeLessThan(1_000)
    },
  )

  it('ends in order when it is told to while the first worker still loads the app', async () => {
    const app = await cliApp({
      files: {
        'tasks.js': `${TASKS_FILE}; console.error('loading'); for (const end = Date.now() + 500; Date.now() < end; );`,
      },
    })
    const fleet = app.start(...FLEET)
    await fleet.says('loading')

    fleet.kill('SIGTERM')

    expect(await fleet.exited).toEqual(DONE)
    expect(fleet.log).toBe(
      'loading\nReceived SIGTERM: stopping all workers\nReceived SIGTERM - shutting down gracefully...\n',
    )
  })

  it('passes a second SIGINT on: all leave at once, with 130, and give back what they ran', async () => {
    const { app, fleet } = await atWork()
    const ids = await app.enqueue(
      'app.sleep',
      Array.from({ length: 6 }, () => [60_000]),
    )
    await fleet.says('state=RUNNING', 6)
    fleet.kill('SIGINT')
    await fleet.says('shutting down gracefully', 3)

    const before = performance.now()
    fleet.kill('SIGINT')

    expect(await fleet.exited).toEqual({ code: 130, signal: null })
    expect(performance.now() - before).toBeLessThan(1_500)
    await fleet.closed
    expect(await Promise.all(ids.map(async (id) => app.row(id)))).toEqual(
      ids.map(() => expect.objectContaining({ status: 'READY', workerIds: [] })),
    )
  })

  it('ends a worker by force that computes and cannot hear the second SIGINT', async () => {
    const { app, fleet } = await atWork()
    const [id] = await app.enqueue('app.block')
    await fleet.says('state=RUNNING')
    fleet.kill('SIGINT')
    await fleet.says('shutting down gracefully', 2)

    fleet.kill('SIGINT')

    expect(await fleet.exited).toEqual({ code: 130, signal: null })
    await fleet.closed
    expect((await app.row(id!)).status).toBe('RUNNING')
  })

  it('says by 1 that a worker did not end in order', async () => {
    const { app, fleet } = await atWork({}, '--shutdown-timeout', '0.2')
    await app.enqueue('app.sleep', [[60_000]])
    await fleet.says('state=RUNNING')

    fleet.kill('SIGTERM')

    expect(await fleet.exited).toEqual({ code: 1, signal: null })
  })

  it('is survived by its workers, when it is killed, only until they have finished', async () => {
    const { app, fleet } = await atWork({}, '--concurrency', '1')
    const ids = await app.enqueue(
      'app.sleep',
      Array.from({ length: 4 }, () => [1_000]),
    )
    await fleet.says('state=RUNNING', 3)

    fleet.kill('SIGKILL')
    await fleet.closed

    expect(
      fleet.log.match(/The supervisor process is gone - shutting down gracefully/g),
    ).toHaveLength(3)
    expect(
      (await Promise.all(ids.map(async (id) => (await app.row(id)).status))).toSorted(),
    ).toEqual(['READY', 'SUCCESSFUL', 'SUCCESSFUL', 'SUCCESSFUL'])
  })

  it('is missed by its workers even if a task has removed all listeners', async () => {
    const { app, fleet } = await atWork()
    const [id] = await app.enqueue('app.unlisten', [[1_000]])
    await fleet.says(`id=${id} path=app.unlisten state=RUNNING`)
    await sleep(700)

    fleet.kill('SIGKILL')
    await fleet.closed

    expect(fleet.log.match(/The supervisor process is gone/g)).toHaveLength(3)
    expect((await app.row(id!)).status).toBe('SUCCESSFUL')
  })

  it('ends with its workers when the process that reloads is killed', async () => {
    const { fleet } = await atWork({}, '--reload')

    fleet.kill('SIGKILL')
    await fleet.closed

    expect(fleet.log).toContain('The supervisor process is gone: stopping all workers')
    expect(fleet.log.match(/Received SIGTERM - shutting down gracefully/g)).toHaveLength(3)
  })
})

describeEachDatabase((database) => {
  it('three processes run each task once', async () => {
    const app = await fleetApp({ database: await database.fresh() })
    const ids = await app.enqueue(
      'app.sleep',
      Array.from({ length: 60 }, () => [20]),
    )

    const { code, stderr } = await app.tasks(...FLEET, '--batch', '--concurrency', '2')

    expect(code).toBe(0)
    expect((await app.rows()).map(({ status, claims }) => [status, claims])).toEqual(
      ids.map(() => ['SUCCESSFUL', 1]),
    )
    expect(stderr.match(/state=RUNNING/g)).toHaveLength(60)
  })
})

function fleetApp(wish: AppWish = {}): Promise<CliApp> {
  return cliApp({ ...wish, files: { 'tasks.js': TASKS } })
}

/** A fleet that is all there. */
async function atWork(
  wish: AppWish = {},
  ...args: string[]
): Promise<{ app: CliApp; fleet: Running }> {
  const app = await fleetApp(wish)
  const fleet = app.start(...FLEET, ...args)
  const processes = args.includes('--processes') ? Number(args[args.indexOf('--processes') + 1]) : 3
  await fleet.says('Starting worker', processes)
  return { app, fleet }
}

async function ended(app: CliApp, ids: readonly string[]): Promise<void> {
  const open = async (): Promise<number> =>
    (await app.rows()).filter(
      ({ id, status }) => ids.includes(id) && ['READY', 'RUNNING'].includes(status),
    ).length
  await until(
    async () => (await open()) === 0,
    () => 'the tasks',
  )
}
