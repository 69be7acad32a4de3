import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { task } from '#define'
import { setLogger } from '#logger'
import { taskFinished, taskStarted } from '#signals'
import { workerOf } from '#start-worker'
import type { Worker } from '#worker'
import { type WorkerOptions, settingsOf } from '#worker-options'
import { WatchedStore } from '../support/watched-store'
import { ManualClock, settled } from '../support/manual-clock'
import { add, catchLog, fail, type Line } from '../support/tasks'

const backend = new DummyBackend('default', { queues: [], options: {} })
let store: WatchedStore
let lines: Line[]

beforeEach(() => {
  store = new WatchedStore()
  lines = catchLog()
})
afterEach(() => setClock())

function worker(options: WorkerOptions = {}): Worker {
  return workerOf(backend, store, settingsOf({ workerId: 'w-1', ...options }))
}

/** Tasks that stay until they are let go. */
const gates = new Map<string, () => void>()
const gated = task(
  'spec.gated',
  (name: string) => new Promise<string>((resolve) => gates.set(name, () => resolve(name))),
)
const open = (name: string): void => gates.get(name)!()

/** A task that ends only when it is asked to, and says why. */
const obedient = task(
  'spec.obedient',
  (context) =>
    new Promise<string>((resolve) =>
      context.signal.addEventListener('abort', () => resolve(String(context.signal.reason))),
    ),
  { takesContext: true },
)

describe('a batch', () => {
  it('prints exactly four lines for one task', async () => {
    const { values } = store.add(add.name, [1])

    await worker({ batch: true }).run()

    expect(lines).toEqual([
      ['info', 'Starting worker worker_id=w-1 queues=default'],
      ['info', `Task id=${values.id} path=spec.add state=RUNNING`],
      ['info', `Task id=${values.id} path=spec.add state=SUCCESSFUL`],
      ['info', 'No more tasks to run for worker_id=w-1. Exiting gracefully.'],
    ])
  })

  it('runs all that waits, good and bad, and ends when nothing is left', async () => {
    const [good, bad] = [store.add(add.name, [1, 2]), store.add(fail.name, ['no'])]

    expect(await worker({ batch: true }).run()).toEqual({ started: 2, abandoned: 0 })

    expect(store.kept).toEqual([
      { key: good.key, claims: 1, status: 'SUCCESSFUL', returnValue: '3' },
      {
        key: bad.key,
        claims: 1,
        status: 'FAILED',
        error: {
          exceptionClassPath: 'RangeError',
          traceback: expect.stringContaining('RangeError: no') as string,
        },
      },
    ])
    expect(store.closed).toBe(1)
  })

  it('asks once, and ends, when nothing waits', async () => {
    expect(await worker({ batch: true }).run()).toEqual({ started: 0, abandoned: 0 })
    expect(store.asked).toHaveLength(1)
  })

  it('looks again while something runs, since that may wait for what it enqueued', async () => {
    const clock = ManualClock.install()
    store.add(gated.name, ['parent'])
    const running = worker({ batch: true }).run()
    await settled()

    store.add(add.name, [1])
    await clock.advance(1_000)
    expect(store.kept).toHaveLength(1)

    open('parent')
    expect(await running).toEqual({ started: 2, abandoned: 0 })
  })

  it('gives up when the database does not answer five times in a row', async () => {
    const clock = ManualClock.install()
    store.failures = 5
    const running = worker({ batch: true }).run()
    const ended = expect(running).rejects.toThrow('connection lost')
    await settled()
    for (let i = 0; i < 5; i++) await clock.advance(10_000)

    await ended
    expect(store.asked).toHaveLength(5)
    expect(store.closed).toBe(1)
  })
})

describe('concurrency', () => {
  beforeEach(() => void ManualClock.install())

  it('runs tasks side by side', async () => {
    for (const name of ['a', 'b', 'c']) store.add(gated.name, [name])
    const running = worker({ batch: true }).run()
    await settled()

    for (const name of ['c', 'a', 'b']) {
      open(name)
      await settled()
    }

    await running
    expect(
      store.kept.map((outcome) => outcome.status === 'SUCCESSFUL' && outcome.returnValue),
    ).toEqual(['"c"', '"a"', '"b"'])
  })

  it('never runs more at a time than it may, and asks for as many as it has room', async () => {
    for (let i = 0; i < 7; i++) store.add(gated.name, [`n${i}`])
    const running = worker({ batch: true, concurrency: 3 }).run()
    await settled()
    expect(store.waiting).toHaveLength(4)

    open('n0')
    open('n1')
    await settled()
    expect(store.waiting).toHaveLength(2)
    expect(store.asked.map(({ limit }) => limit)).toEqual([3, 2])

    for (let i = 2; i < 7; i++) {
      open(`n${i}`)
      await settled()
    }
    expect(await running).toEqual({ started: 7, abandoned: 0 })
  })
})

describe('maxTasks', () => {
  it('ends after so many, and leaves the others waiting', async () => {
    for (let i = 0; i < 5; i++) store.add(add.name, [i])

    expect(await worker({ maxTasks: 2 }).run()).toEqual({ started: 2, abandoned: 0 })

    expect(store.kept).toHaveLength(2)
    expect(store.waiting).toHaveLength(3)
    expect(lines.map(([, line]) => line)).toContain('Run maximum tasks (2)')
  })

  it('of none runs none', async () => {
    store.add(add.name, [1])

    expect(await worker({ maxTasks: 0 }).run()).toEqual({ started: 0, abandoned: 0 })
    expect(store.waiting).toHaveLength(1)
  })
})

describe('waiting for work', () => {
  it('looks again after each interval, and at once when a task has ended', async () => {
    const clock = ManualClock.install()
    const idle = worker({ interval: 500 })
    const running = idle.run()
    await settled()
    expect(store.asked).toHaveLength(1)

    await clock.advance(499)
    expect(store.asked).toHaveLength(1)
    store.add(gated.name, ['one'])
    await clock.advance(1)
    expect(store.asked).toHaveLength(2)

    open('one')
    await settled()
    expect(store.kept).toHaveLength(1)
    idle.stop()
    await running
  })

  it('does not ask while it is full', async () => {
    const clock = ManualClock.install()
    store.add(gated.name, ['full'])
    const full = worker({ concurrency: 1 })
    const running = full.run()
    await settled()

    await clock.advance(60_000)
    expect(store.asked).toHaveLength(1)

    open('full')
    await settled()
    full.stop()
    await running
  })
})

describe('a row', () => {
  it('whose task is not known here fails, with the nearest name', async () => {
    store.add('spec.ad')

    await worker({ batch: true }).run()

    expect(store.kept).toMatchObject([
      {
        status: 'FAILED',
        error: {
          exceptionClassPath: 'typeorm_tasks.TaskNotFoundError',
          traceback: expect.stringContaining('Did you mean "spec.add"?') as string,
        },
      },
    ])
  })

  it('that is malformed fails without being run', async () => {
    store.add(add.name, [1], { args_kwargs: '[]' })

    await worker({ batch: true }).run()

    expect(store.kept).toMatchObject([
      {
        status: 'FAILED',
        error: {
          exceptionClassPath: 'typeorm_tasks.MalformedRowError',
          traceback: expect.stringContaining(
            'The row is malformed: args_kwargs is no JSON object. Enqueue it again through the library.',
          ) as string,
        },
      },
    ])
  })

  it('that was taken over meanwhile has its outcome dropped, and no one is told that it finished', async () => {
    const finished: unknown[] = []
    const disconnect = taskFinished.connect((event) => void finished.push(event))
    store.meanwhile = (outcomes) => store.takeOver(outcomes)
    const { values } = store.add(add.name, [1])

    await worker({ batch: true }).run()
    disconnect()

    expect(store.kept).toEqual([])
    expect(finished).toEqual([])
    expect(lines.at(-2)).toEqual([
      'warn',
      `Task id=${values.id} path=spec.add was taken over meanwhile by claim 2; the result of claim 1 is discarded`,
    ])
  })
})

describe('a database that does not answer', () => {
  it('loses no outcome: it is handed in again until it is kept', async () => {
    const clock = ManualClock.install()
    const row = store.add(gated.name, ['kept'])
    const patient = worker()
    const running = patient.run()
    await settled()

    store.failures = 2
    open('kept')
    await settled()
    expect(store.kept).toEqual([])
    for (let i = 0; i < 3; i++) await clock.advance(1_000)

    expect(store.kept).toEqual([
      { key: row.key, claims: 1, status: 'SUCCESSFUL', returnValue: '"kept"' },
    ])
    expect(lines.filter(([level]) => level === 'error')).toEqual([
      ['error', 'The backend did not answer (1): connection lost'],
      ['error', 'The backend did not answer (2): connection lost'],
    ])
    patient.stop()
    await running
  })

  it('is asked ever more rarely, and goes on being asked', async () => {
    const clock = ManualClock.install()
    store.failures = 40
    const patient = worker()
    const running = patient.run()
    await clock.advance(5_000)
    const early = store.asked.length
    await clock.advance(60_000)

    expect(early).toBeLessThan(10)
    expect(store.asked.length).toBeGreaterThan(early)
    patient.stop()
    await running
  })
})

describe('stop()', () => {
  it('finishes what runs and takes nothing new', async () => {
    ManualClock.install()
    store.add(gated.name, ['last'])
    const stopped = worker()
    const running = stopped.run()
    await settled()

    stopped.stop()
    store.add(add.name, [1])
    open('last')

    expect(await running).toEqual({ started: 1, abandoned: 0 })
    expect(store.kept).toHaveLength(1)
    expect(store.waiting).toHaveLength(1)
    expect(store.closed).toBe(1)
  })

  it('ends an idle worker at once', async () => {
    ManualClock.install()
    const idle = worker()
    const running = idle.run()
    await settled()

    idle.stop()

    expect(await running).toEqual({ started: 0, abandoned: 0 })
  })

  it('ends a worker by force, and leaves no timer that keeps the process', async () => {
    const clock = ManualClock.install()
    const idle = worker()
    const running = idle.run()
    await settled()

    await Promise.all([idle.forceStop(), running])
    await settled()

    expect(clock.sleeping).toBe(0)
  })

  it('asks tasks to stop after shutdownTimeout, and gives back the rows of those that do not', async () => {
    const clock = ManualClock.install()
    const [heeds, stubborn] = [store.add(obedient.name), store.add(gated.name, ['stubborn'])]
    const stopped = worker({ shutdownTimeout: 5_000 })
    const running = stopped.run()
    await settled()

    stopped.stop()
    await clock.advance(4_999)
    expect(store.kept).toEqual([])
    await clock.advance(1)
    await clock.advance(1_000)

    expect(await running).toEqual({ started: 2, abandoned: 1 })
    expect(store.kept).toEqual([
      {
        key: heeds.key,
        claims: 1,
        status: 'SUCCESSFUL',
        returnValue: '"WorkerStops: The worker stops. The task is given back and runs again."',
      },
    ])
    expect(store.released).toMatchObject([{ key: stubborn.key, claims: 1 }])
    expect(lines.at(-1)).toEqual([
      'warn',
      `Task id=${stubborn.values.id} path=spec.gated has not finished and is given back`,
    ])

    open('stubborn')
    await settled()
    expect(store.kept).toHaveLength(1)
  })

  it('does not wait for ever for a database that is gone', async () => {
    const clock = ManualClock.install()
    const row = store.add(gated.name, ['unheard'])
    const stopped = worker({ shutdownTimeout: 2_000 })
    const running = stopped.run()
    await settled()
    store.failures = 1_000
    open('unheard')
    await settled()

    stopped.stop()
    await clock.advance(10_000)

    expect(await running).toEqual({ started: 1, abandoned: 1 })
    expect(store.released).toMatchObject([{ key: row.key }])
  })

  it('does not wait for answers that do not come, much longer than shutdownTimeout', async () => {
    const clock = ManualClock.install()
    store.add(gated.name, ['silent'])
    const stopped = worker({ shutdownTimeout: 2_000, interval: 100 })
    const running = stopped.run()
    await settled()
    store.exchange = store.release = () => new Promise<never>(() => {})
    await clock.advance(200)

    stopped.stop()
    let isOver = false
    void running.then(() => (isOver = true))
    await clock.advance(2_000)
    expect(isOver).toBe(false)
    for (let second = 0; second < 5; second++) await clock.advance(1_000)

    expect(isOver).toBe(true)
    expect(await running).toEqual({ started: 1, abandoned: 1 })
    expect(store.closed).toBe(0)
    await settled()
    expect(clock.sleeping).toBe(0)
  })
})

it('changes no fate when loggers and listeners fail in the worst of ways', async () => {
  const hostile = Object.create(null) as Error
  const broken = (): never => {
    throw hostile
  }
  setLogger({ debug: broken, info: broken, warn: broken, error: broken })
  const disconnect = [taskStarted, taskFinished].flatMap((signal) => [
    signal.connect(broken),
    signal.connect(() => Promise.reject(hostile)),
  ])
  store.add(add.name, [1])

  await worker({ batch: true }).run()
  await settled()
  for (const undo of disconnect) undo()

  expect(store.kept).toMatchObject([{ status: 'SUCCESSFUL', returnValue: '11' }])
})

it('writes the latest progress of a running task, and the last with its outcome', async () => {
  const reporting = task(
    'spec.reporting',
    async (context) => {
      context.reportProgress(1, 3)
      context.reportProgress(2, 3, 'almost')
      await new Promise<void>((resolve) => gates.set('progress', resolve))
      context.reportProgress(3, 3)
    },
    { takesContext: true },
  )
  const { key } = store.add(reporting.name)
  const running = worker({ batch: true }).run()

  while (store.notes.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  open('progress')
  await running

  expect(store.notes).toEqual([
    { key, claims: 1, progress: '{"done":2,"total":3,"note":"almost"}' },
  ])
  expect(store.kept).toMatchObject([{ progress: '{"done":3,"total":3,"note":null}' }])
})

it('lets go of a transactional run that has stored its own success, when its row is gone at the confirmation', async () => {
  class Transacting extends DummyBackend {
    override async completeInTransaction(
      work: (manager: never) => Promise<unknown>,
    ): Promise<void> {
      await work({} as never)
    }
  }
  const stored = task('spec.stored', () => 'done', { transactional: true })
  const { values } = store.add(stored.name)
  store.meanwhile = () => store.table.rows.clear()

  const report = await workerOf(
    new Transacting('default', { queues: [], options: {} }),
    store,
    settingsOf({ batch: true }),
  ).run()

  expect(report).toEqual({ started: 1, abandoned: 0 })
  expect(lines).toContainEqual([
    'warn',
    `Task id=${values.id} path=spec.stored was taken over meanwhile (the row is gone); the result of claim 1 is discarded`,
  ])
})
