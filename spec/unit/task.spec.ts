import { runInThisContext } from 'node:vm'
import { configureTasks } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { remoteTask, task } from '#define'
import {
  InvalidBackendError,
  InvalidTaskError,
  NotSupportedError,
  TaskNotFoundError,
} from '#errors'
import { tasks } from '#registry'
import { backends } from '../../lib/backend-registry'
import type { Task } from '#task'
import type { CallOptions, TaskOptions } from '#task-options'
import { add, catchLog, contextual, echo, fail, keywords } from '../support/tasks'

beforeEach(() => {
  catchLog()
  configureTasks({
    default: { BACKEND: DummyBackend, QUEUES: ['default', 'mail'] },
    other: { BACKEND: DummyBackend },
  })
})

describe('a task', () => {
  it("has Django's defaults", () => {
    expect(task('spec.defaults', () => 1).toJSON()).toEqual({
      name: 'spec.defaults',
      priority: 0,
      queueName: 'default',
      backend: 'default',
      takesContext: false,
      runAfter: null,
      uniqueKey: null,
    })
  })

  it('has what it was given', () => {
    const options = { priority: -100, queueName: 'default', backend: 'other' } as const

    expect(task('spec.given', () => 1, options)).toMatchObject(options)
    expect(tasks.get('spec.given')).toMatchObject(options)
  })

  it('runs here when it is called, and throws what it throws', async () => {
    expect(await add.call(1)).toBe(11)
    expect(await keywords.call('a', 'b')).toEqual(['a', 'b'])
    await expect(fail.call('as it is')).rejects.toThrow(new RangeError('as it is'))
  })

  it('is called with a context of its own when it takes one', async () => {
    expect(await contextual.call('note')).toEqual({ id: '', attempt: 1, aborted: false })
  })

  it('may be named by what it lacks: its nearest name is told', () => {
    expect(() => tasks.get('spec.ad')).toThrow(TaskNotFoundError)
    expect(() => tasks.get('spec.ad')).toThrow('No task is named "spec.ad"; this process knows')
    expect(() => tasks.get('spec.ad')).toThrow('Did you mean "spec.add"?')
    expect(() => tasks.get('reports.build')).toThrow(
      'Import the file that defines it, or add that file to TASK_MODULES.',
    )
  })
})

describe('using()', () => {
  it('gives a changed copy and leaves the task as it was', () => {
    const before = add.toJSON()
    const later = new Date(Date.now() + 1000)

    const copy = add
      .using({ priority: 5, queueName: 'mail' })
      .using({ runAfter: later, uniqueKey: 'one' })
      .using({ priority: 6 })

    expect(copy.toJSON()).toEqual({
      ...before,
      priority: 6,
      queueName: 'mail',
      runAfter: later,
      uniqueKey: 'one',
    })
    expect(add.toJSON()).toEqual(before)
  })

  it('with nothing gives an equal task that is another', () => {
    expect(add.using({})).not.toBe(add)
    expect(add.using({}).toJSON()).toEqual(add.toJSON())
  })

  it('takes a delay back', () => {
    expect(add.using({ runAfter: new Date() }).using({ runAfter: null }).runAfter).toBeNull()
  })

  it('with an option that is undefined changes nothing', () => {
    const options = {
      priority: undefined,
      queueName: undefined,
      runAfter: undefined,
    } as unknown as CallOptions

    expect(add.using({ priority: 3, uniqueKey: 'k' }).using(options).toJSON()).toEqual(
      add.using({ priority: 3, uniqueKey: 'k' }).toJSON(),
    )
  })

  it('sends the task to another backend', async () => {
    expect((await add.using({ backend: 'other' }).enqueue(1)).backend).toBe('other')
  })

  it('keeps the result of one task apart from that of another, also across copies', async () => {
    const result = await add.using({ priority: 3 }).enqueue(1)

    expect((await add.getResult(result.id)).priority).toBe(3)
  })
})

describe('bad options', () => {
  const priority = (got: string): string =>
    `Task "spec.add", priority: expected a whole number from -100 to 100, got ${got}.`
  const queue = (got: string): string =>
    `Task "spec.add", queueName: expected a queue name of 1 to 32 letters, digits and _ . : @ / -, got ${got}. Rename the queue.`
  const runAfter = (got: string): string =>
    `Task "spec.add", runAfter: expected a valid Date before the year 9999, or null, got ${got}.`
  const uniqueKey = (got: string): string =>
    `Task "spec.add", uniqueKey: expected 1 to 126 printable characters without a blank at the end, or a function that gives it, or null, got ${got}.`

  const bad: [unknown, string][] = [
    [{ priority: 101 }, priority('101')],
    [{ priority: -101 }, priority('-101')],
    [{ priority: 3.1 }, priority('3.1')],
    [{ priority: '5' }, priority("'5'")],
    [{ priority: Number.NaN }, priority('NaN')],
    [{ priority: null }, priority('null')],
    [
      { queueName: 'mial' },
      'Task "spec.add": queue "mial" is not in QUEUES of TASKS.default (default, mail). Did you mean "mail"?',
    ],
    [
      { queueName: 'reports' },
      'Task "spec.add": queue "reports" is not in QUEUES of TASKS.default (default, mail). Add it there, or choose one of them.',
    ],
    [{ queueName: 'x'.repeat(33) }, queue(`'${'x'.repeat(33)}'`)],
    [{ queueName: '' }, queue("''")],
    [{ queueName: "o'brien" }, queue("'o'brien'")],
    [{ queueName: 'a;b' }, queue("'a;b'")],
    [{ queueName: 'a b' }, queue("'a b'")],
    [{ queueName: 'a,b' }, queue("'a,b'")],
    [{ queueName: '*' }, queue("'*'")],
    [{ queueName: 7 }, queue('7')],
    [{ runAfter: new Date('tomorrow') }, runAfter('an invalid Date')],
    [{ runAfter: new Date(Date.UTC(9999, 0, 1)) }, runAfter('Date 9999-01-01T00:00:00.000Z')],
    [{ runAfter: new Date(-1e15) }, runAfter('Date -029719-04-05T22:13:20.000Z')],
    [{ runAfter: '2026-01-01' }, runAfter("'2026-01-01'")],
    [{ runAfter: 1_800_000_000_000 }, runAfter('1800000000000')],
    [{ uniqueKey: '' }, uniqueKey("''")],
    [{ uniqueKey: 'x'.repeat(127) }, uniqueKey(`'${'x'.repeat(127)}'`)],
    [{ uniqueKey: 'a\nb' }, uniqueKey("'a\\u000ab'")],
    [{ uniqueKey: 'key ' }, uniqueKey("'key '")],
    [{ uniqueKey: ' ' }, uniqueKey("' '")],
    [{ uniqueKey: 'key\ud83d' }, uniqueKey("'key\\ud83d'")],
    [{ uniqueKey: 7 }, uniqueKey('7')],
    [{ prioritty: 1 }, 'Task "spec.add": unknown option "prioritty". Did you mean "priority"?'],
    [{ runafter: null }, 'Task "spec.add": unknown option "runafter". Did you mean "runAfter"?'],
    [
      { retry: {} },
      'Task "spec.add", retry.maxAttempts: expected a whole number from 1 to 1000, got undefined.',
    ],
    [
      { retry: { maxAttempts: 3, delays: 1 } },
      'Task "spec.add", retry: unknown option "delays". Did you mean "delay"?',
    ],
    [
      { retry: { maxAttempts: 3, retryOn: [] } },
      'Task "spec.add", retry.retryOn: a function or a class cannot be written into a row.',
    ],
    [
      { timeLimit: 0 },
      'Task "spec.add", timeLimit: expected a number of milliseconds, 1 or more, got 0.',
    ],
    [
      { maxAge: -1 },
      'Task "spec.add", maxAge: expected a number of milliseconds, 0 or more, got -1.',
    ],
    [{ rerunAfterCrash: 'no' }, 'Task "spec.add", rerunAfterCrash: expected true or false, got '],
    [{ takesContext: true }, 'Task "spec.add": unknown option "takesContext".'],
  ]
  it.each(bad)('are refused when the copy is made: %j', (options, told) => {
    expect(() => add.using(options as CallOptions)).toThrow(InvalidTaskError)
    expect(() => add.using(options as CallOptions)).toThrow(told)
  })

  it.each([
    [{ queue: 'mail' }, 'unknown option "queue". Did you mean "queueName"?'],
    [{ takesContxt: true }, 'unknown option "takesContxt". Did you mean "takesContext"?'],
    [{ takesContext: 'yes' }, "takesContext: expected true or false, got 'yes'."],
    [{ runAfter: new Date() }, 'unknown option "runAfter".'],
    [{ priority: 101 }, 'priority: expected a whole number'],
    [{ queueName: 'reports' }, 'queue "reports" is not in QUEUES'],
  ])('are refused when the task is made: %j', (options, told) => {
    expect(() =>
      task('spec.bad', () => 1, options as TaskOptions & { takesContext: false }),
    ).toThrow(InvalidTaskError)
    expect(() =>
      task('spec.bad', () => 1, options as TaskOptions & { takesContext: false }),
    ).toThrow(told)
    expect(tasks.find('spec.bad')).toBeUndefined()
  })

  it('name an alias that TASKS does not have', () => {
    expect(() => add.using({ backend: 'othr' })).toThrow(InvalidBackendError)
    expect(() => add.using({ backend: 'othr' })).toThrow(
      'TASKS has no backend "othr"; it has "default", "other". Did you mean "other"?',
    )
    expect(() => task('spec.bad', () => 1, { backend: 'mail' })).toThrow(
      'TASKS has no backend "mail"; it has "default", "other". Add it to configureTasks({ … }).',
    )
  })

  it('are what Immediate cannot do', () => {
    configureTasks({ default: { BACKEND: ImmediateBackend } })

    expect(() => add.using({ runAfter: new Date() })).toThrow(
      'Task "spec.add" asks for runAfter, which ImmediateBackend (TASKS.default) does not support.',
    )
  })

  it.each([-100, 100, 0])('do not include the priority %i', (priority) => {
    expect(add.using({ priority }).priority).toBe(priority)
  })

  it.each(['q', 'x'.repeat(32), 'a.b:c@d/e-f_1', 'почта'])(
    'do not include the queue name %s',
    (queueName) => {
      configureTasks({ default: { BACKEND: DummyBackend, QUEUES: [] } })

      expect(add.using({ queueName }).queueName).toBe(queueName)
    },
  )
})

describe('a name', () => {
  it.each([
    '.mail.send',
    'mail.send.',
    'mail..send',
    'mail send',
    'mail-send',
    '1mail',
    '',
    '@acme/mail.send',
    'src/tasks.js#add',
    'mäil',
    'x'.repeat(300),
    "a'; DROP TABLE x",
    'a\n',
  ])('that is no dotted identifier is refused: %p', (name) => {
    expect(() => task(name, () => 1)).toThrow(InvalidTaskError)
    expect(() => task(name, () => 1)).toThrow(
      `A task's name must be a dotted identifier of at most 255 characters, got '${name.replace('\n', '\\u000a')}'. Name it like "mail.sendWelcome"`,
    )
    expect(() => remoteTask<[]>(name)).toThrow(InvalidTaskError)
  })

  it.each([undefined, null, 7, {}])('that is no text is refused: %p', (name) => {
    expect(() => task(name as unknown as string, () => 1)).toThrow(InvalidTaskError)
  })

  it.each(['a', '_a.b1.C_d', 'x'.repeat(255)])('that is one is taken: %s', (name) => {
    expect(task(name, () => 1).name).toBe(name)
  })

  it('given again in the same file replaces the first, as hot reload does', () => {
    const define = (answer: number): Task<[], number> => task('spec.again', () => answer)
    define(1)
    const second = define(2)

    expect(tasks.get('spec.again')).toBe(second)
  })

  it('given again by another file replaces the first, whose handle stays usable', async () => {
    const here = task('spec.taken', () => 1)

    elsewhere('spec.taken')

    expect(tasks.get('spec.taken')).not.toBe(here)
    expect(await here.call()).toBe(1)
  })
})

describe('a remote task', () => {
  const remote = remoteTask<[number], string>('django_app.tasks.thumbnail', { priority: 2 })

  it('is enqueued, and its results are read', async () => {
    const result = await remote.enqueue(7)

    expect((await remote.getResult(result.id)).toJSON()).toMatchObject({
      task: 'django_app.tasks.thumbnail',
      args: [7],
      priority: 2,
    })
  })

  it('does not run here', async () => {
    await expect(remote.call(7)).rejects.toThrow(NotSupportedError)
    await expect(remote.call(7)).rejects.toThrow(
      'Task "django_app.tasks.thumbnail" is remote: its code lives elsewhere. Enqueue it, and run a worker there.',
    )
    expect(tasks.find('django_app.tasks.thumbnail')).toBeUndefined()
  })

  it('fails when the backend would run it here', async () => {
    configureTasks({ default: { BACKEND: ImmediateBackend } })

    expect((await remote.enqueue(7)).errors[0]!.exceptionClassPath).toBe(
      'typeorm_tasks.NotSupportedError',
    )
  })
})

it('finds results of Immediate after it was configured again, as each chunk of a bundle does', async () => {
  configureTasks({ default: { BACKEND: ImmediateBackend } })
  const { id } = await add.enqueue(1, 2)

  configureTasks({ default: { BACKEND: ImmediateBackend } })

  expect((await add.getResult(id)).returnValue).toBe(3)
})

it('keeps every one of many tasks that Immediate runs at once, and of finished ones the latest thousand', async () => {
  configureTasks({ default: { BACKEND: ImmediateBackend } })
  const results = await Promise.all(Array.from({ length: 1_100 }, (_, i) => echo.enqueue(i)))

  expect(results.every(({ status }) => status === 'SUCCESSFUL')).toBe(true)
  await expect(results[99]!.refresh()).rejects.toThrow('No task result has the id')
  expect((await results[100]!.refresh()).returnValue).toBe(100)
})

it('remembers what was asked of Dummy until it is cleared', async () => {
  const dummy = backends.get('default') as DummyBackend
  await add.enqueue(1)
  await echo.using({ queueName: 'mail' }).enqueue('x')

  expect(
    dummy.results.map(({ taskName, args, queueName }) => ({ taskName, args, queueName })),
  ).toEqual([
    { taskName: 'spec.add', args: [1], queueName: 'default' },
    { taskName: 'spec.echo', args: ['x'], queueName: 'mail' },
  ])
  dummy.clear()
  expect(dummy.results).toEqual([])
})

/** Defines a task as another file would. */
function elsewhere(name: string): void {
  const define = runInThisContext('(task, name) => task(name, () => 1)', {
    filename: '/app/elsewhere.js',
  }) as (...given: unknown[]) => void
  define(task, name)
}
