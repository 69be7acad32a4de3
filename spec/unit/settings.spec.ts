import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configureTasks } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { TaskBackend } from '#lib/backend'
import type { Order } from '#lib/order'
import { task } from '#define'
import { InvalidBackendError, InvalidSettingsError, InvalidTaskError } from '#errors'
import { backends } from '../../lib/backend-registry'
import type { ResultValues } from '../../lib/row/record'
import { TaskResult } from '#result'
import type { TasksSettings } from '#configure'
import { add, catchLog } from '../support/tasks'

beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: DummyBackend } })
})

class Plain extends TaskBackend {
  async enqueue(order: Order): Promise<TaskResult<unknown>> {
    const waiting = await new DummyBackend(this.alias, this.settings).enqueue(order)
    const { task: taskName, ...values } = waiting.toJSON()
    return new TaskResult(this, { ...values, taskName } as unknown as ResultValues)
  }
}

const at = 'TASKS.default'
const bad: [unknown, string][] = [
  [
    null,
    'TASKS: expected an object of backends by alias, got null. Write { default: { BACKEND: … } }.',
  ],
  [[], 'TASKS: expected an object of backends by alias, got an array.'],
  ['default', "TASKS: expected an object of backends by alias, got 'default'."],
  [{ default: null }, `${at}: expected an object, got null. Write { … }.`],
  [{ default: DummyBackend }, `${at}: expected an object, got`],
  [
    { default: { BACKEND: DummyBackend, QUEUE: [] } },
    `${at}: unknown key "QUEUE". Did you mean "QUEUES"?`,
  ],
  [{ default: { backend: DummyBackend } }, `${at}: unknown key "backend". Did you mean "BACKEND"?`],
  [
    { default: { BACKEND: DummyBackend, TIMEZONE: 'UTC' } },
    `${at}: unknown key "TIMEZONE". Known keys: BACKEND, QUEUES, OPTIONS.`,
  ],
  [{ default: {} }, `${at}.BACKEND: expected a backend class or 'module#Export', got undefined.`],
  [
    { default: { BACKEND: 7 } },
    `${at}.BACKEND: expected a backend class or 'module#Export', got 7.`,
  ],
  [
    { default: { BACKEND: class {} } },
    `${at}.BACKEND: expected a backend class or 'module#Export', got`,
  ],
  [
    { default: { BACKEND: new DummyBackend('x', { queues: [], options: {} }) } },
    `${at}.BACKEND: expected a backend class or 'module#Export', got an object (DummyBackend).`,
  ],
  [
    { default: { BACKEND: DummyBackend, QUEUES: 'mail' } },
    `${at}.QUEUES: expected a list of queue names, got 'mail'.`,
  ],
  [
    { default: { BACKEND: DummyBackend, QUEUES: ['mail', 7] } },
    `${at}.QUEUES[1]: expected a queue name of 1 to 32 letters, digits and _ . : @ / -, got 7. Rename the queue.`,
  ],
  [
    { default: { BACKEND: DummyBackend, QUEUES: ['a', 'b', "o'c;"] } },
    `${at}.QUEUES[2]: expected a queue name of 1 to 32 letters, digits and _ . : @ / -, got 'o'c;'.`,
  ],
  [
    { default: { BACKEND: DummyBackend, QUEUES: ['x'.repeat(33)] } },
    `${at}.QUEUES[0]: expected a queue name of 1 to 32`,
  ],
  [
    { default: { BACKEND: DummyBackend, OPTIONS: 'none' } },
    `${at}.OPTIONS: expected an object, got 'none'.`,
  ],
  [
    { default: { BACKEND: DummyBackend, OPTIONS: [] } },
    `${at}.OPTIONS: expected an object, got an array.`,
  ],
  [
    { 'my backend': { BACKEND: DummyBackend } },
    'TASKS.my backend (the alias is stored in each row): expected',
  ],
  [{ ['x'.repeat(33)]: { BACKEND: DummyBackend } }, "got 'xxxxx"],
]

it.each(bad)(
  'refuses the settings %#, naming the path, what was expected and what was found',
  (settings, told) => {
    expect(() => configureTasks(settings as TasksSettings)).toThrow(InvalidSettingsError)
    expect(() => configureTasks(settings as TasksSettings)).toThrow(told)
  },
)

const unimportable: [string, string][] = [
  ['no-such-package#Backend', `${at}.BACKEND: "no-such-package" could not be imported: `],
  ['./no/such/file#Backend', `${at}.BACKEND: "./no/such/file" could not be imported`],
  [
    'node:path#NoSuch',
    `${at}.BACKEND: "node:path#NoSuch" is not exported. Export a class that extends TaskBackend as "NoSuch" from "node:path".`,
  ],
  ['node:path#join', `${at}.BACKEND: "node:path#join" is no backend class.`],
  [
    'node:path',
    `${at}.BACKEND: "node:path" is not of the form 'module#Export'. Use e.g. 'typeorm-tasks/backends/database#DatabaseBackend'.`,
  ],
  ['#Backend', `${at}.BACKEND: "#Backend" is not of the form`],
  ['', `${at}.BACKEND: "" is not of the form`],
  [
    'typeorm-tasks/backends/bullmg#BullMQBackend',
    'Did you mean "typeorm-tasks/backends/bullmq#BullMQBackend"?',
  ],
  [
    'typeorm-tasks/backends/bullmq#BullMqBackend',
    'Did you mean "typeorm-tasks/backends/bullmq#BullMQBackend"?',
  ],
  ['typeorm-tasks/backends/database', 'Did you mean "typeorm-tasks/backends/database#'],
  ['ShardedBackend', 'Did you mean "typeorm-tasks/backends/sharded#ShardedBackend"?'],
  ['./backends/dumy#DummyBackend', 'Check the path; a relative one'],
]

it.each(unimportable)(
  'refuses the BACKEND %p that cannot be imported, and says why',
  (BACKEND, told) => {
    expect(() => configureTasks({ default: { BACKEND } })).toThrow(InvalidBackendError)
    expect(() => configureTasks({ default: { BACKEND } })).toThrow(told)
  },
)

it('says what to write where no backend is called default', () => {
  configureTasks({ fast: { BACKEND: DummyBackend } })

  expect(() => backends.get('default')).toThrow(
    'TASKS has no backend "default"; it has "fast". It holds for tasks and commands that name no backend: name one (of a task by { backend: \'fast\' }, of a command by --backend fast), or add it: configureTasks({ default: { BACKEND: \'typeorm-tasks/backends/database#DatabaseBackend\', OPTIONS: { dataSource } }, … }).',
  )
})

it('keeps what was configured when new settings are refused', () => {
  const before = backends.get('default')

  expect(() => configureTasks({ default: { BACKEND: 'node:path' } })).toThrow()
  task('spec.misfit', () => 1)
  expect(() => configureTasks({ default: { BACKEND: DummyBackend, QUEUES: ['mail'] } })).toThrow(
    InvalidTaskError,
  )

  expect(backends.get('default')).toBe(before)
})

it('gives the settings back, and knows each backend by its alias', () => {
  const settings = {
    default: { BACKEND: ImmediateBackend },
    'e-mail': { BACKEND: 'typeorm-tasks/backends/dummy#DummyBackend', QUEUES: [] },
  }

  expect(configureTasks(settings)).toBe(settings)

  expect(backends.get('default')).toBeInstanceOf(ImmediateBackend)
  expect(backends.get('e-mail')).toBeInstanceOf(DummyBackend)
  expect(backends.get('e-mail')).toMatchObject({
    alias: 'e-mail',
    settings: { queues: [], options: {} },
  })
})

it("hands OPTIONS to a backend of the app's own, given by class", async () => {
  const OPTIONS = { url: 'x' }
  configureTasks({ default: { BACKEND: Plain, OPTIONS } })

  expect(backends.get('default').settings).toEqual({ queues: ['default'], options: OPTIONS })
  expect(await add.enqueue(1)).toMatchObject({ status: 'READY', args: [1] })
})

it('imports a backend from a file of the app, counted from its package.json', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tasks-settings-'))
  const cwd = jest.spyOn(process, 'cwd').mockReturnValue(folder)
  writeFileSync(join(folder, 'package.json'), '{}')
  writeFileSync(join(folder, 'not-a-backend.js'), 'exports.NotOne = class {}')
  try {
    expect(() => configureTasks({ default: { BACKEND: './not-a-backend#NotOne' } })).toThrow(
      '"./not-a-backend#NotOne" is no backend class.',
    )
    expect(() => configureTasks({ default: { BACKEND: './not-a-backend#Other' } })).toThrow(
      '"./not-a-backend#Other" is not exported.',
    )
  } finally {
    cwd.mockRestore()
    rmSync(folder, { recursive: true })
  }
})

it('runs tasks at once when nothing is configured', async () => {
  backends.configure(undefined)

  expect((await add.enqueue(1)).returnValue).toBe(11)
  await expect(async () => add.using({ backend: 'mail' }).enqueue(1)).rejects.toThrow(
    'TASKS has no backend "mail"; it has "default".',
  )
})

describe('a backend that brings only enqueue', () => {
  const tomorrow = new Date(Date.now() + 86_400_000)

  beforeEach(() => configureTasks({ default: { BACKEND: Plain } }))

  it('enqueues many, one after the other', async () => {
    expect((await add.enqueueMany([[1], [2]])).map(({ args }) => args)).toEqual([[1], [2]])
  })

  it('refuses, with the hint, what it cannot do', async () => {
    expect(() => add.using({ priority: 1 })).toThrow(
      'Task "spec.add" asks for priority, which Plain (TASKS.default) does not support. Leave the priority at 0, or use the Database backend.',
    )
    expect(() => add.using({ runAfter: tomorrow })).toThrow(
      'Task "spec.add" asks for runAfter, which Plain (TASKS.default) does not support.',
    )
    await expect(add.getResult('x')).rejects.toThrow(
      'Plain (TASKS.default) cannot give back the result x. Use the Database backend for that.',
    )
    await expect((await add.enqueue(1)).refresh()).rejects.toThrow('cannot give back the result')
    await expect(backends.get('default').openStore({})).rejects.toThrow(
      'Plain (TASKS.default) cannot be served by a worker.',
    )
  })

  it('has nothing to check and nothing to close', async () => {
    expect(await backends.get('default').check()).toEqual([])
    await backends.get('default').close()
  })
})

it('an error about a URL in the place of options does not show its password', () => {
  const OPTIONS = 'postgres://bob:s3c@retTAIL@db.example/app' as unknown as object
  const configure = (): unknown => configureTasks({ default: { BACKEND: DummyBackend, OPTIONS } })

  expect(configure).toThrow("got 'postgres://bob:***@db.example/app'")
  expect(configure).not.toThrow(/s3c|TAIL/)
})
