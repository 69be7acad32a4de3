import { IsInt, IsString } from 'class-validator'
import { configureTasks, task } from 'typeorm-tasks'
import {
  anything,
  matching,
  partial,
  type RecordedTasks,
  TaskExpectationError,
  testTasks,
} from 'typeorm-tasks/testing'
import { backends } from '#backend-registry'
import { DummyBackend } from '#dummy'
import { echo, nothing } from '../../support/tasks'

class Order {
  @IsInt() id = 0
  @IsString() note = ''
  total(): number {
    return this.id
  }
}

interface User {
  id: number
  name: string
  address?: { city: string; zip: string }
}

const welcome = task('mail.welcome', (_id: number, _tone: 'warm' | 'plain' = 'warm') => {})
const invite = task('mail.invite', (_user: User, _tags: string[]) => {})
const login = task(
  'auth.login',
  (_account: { password: string; token: string; name: string }) => {},
)
const maybe = task('kit.maybe', (_value?: string | null) => {})
const ship = task('shop.ship', (_order: Order) => {}, { args: [Order] })

let tasks: RecordedTasks
beforeEach(() => {
  configureTasks({ default: { BACKEND: DummyBackend, QUEUES: [] } })
  tasks = testTasks({ redact: { keys: [/iban/i] } })
})
afterEach(async () => {
  await tasks.restore()
  backends.configure(undefined)
})

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(TaskExpectationError)
    return (error as Error).message
  }
  throw new Error('it held')
}

const ANN = { id: 1, name: 'Ann', address: { city: 'Ulm', zip: '89073' } }

describe('an expectation that holds', () => {
  it('gives the first such call; without arguments, whichever', async () => {
    const first = await welcome.enqueue(1)
    await welcome.enqueue(2)
    expect(tasks.expectEnqueued(welcome).id).toBe(first.id)
    expect(tasks.expectEnqueued(welcome, [2]).args).toEqual([2])
    tasks.expectNotEnqueued(nothing)
    tasks.expectNotEnqueued(welcome, [3])
  })

  it('takes arguments as JSON writes them', async () => {
    await echo.enqueue({ a: undefined, at: '1970-01-01T00:00:00.000Z' })
    tasks.expectEnqueued(echo, [{ at: new Date(0) }])
    await maybe.enqueue()
    tasks.expectEnqueued(maybe, [])
    tasks.expectEnqueued(maybe, [undefined])
    await maybe.enqueue(null)
    tasks.expectEnqueued(maybe, [null])
    await ship.enqueue(Object.assign(new Order(), { id: 7, note: 'x' }))
    tasks.expectEnqueued(ship, [Object.assign(new Order(), { id: 7, note: 'x' })])
    tasks.expectEnqueued(ship, [{ id: 7, note: 'x' }])
  })

  it('takes the matchers of the kit', async () => {
    await welcome.enqueue(1)
    await invite.enqueue(ANN, ['new', 'vip'])
    tasks.expectEnqueued(welcome, [anything, anything])
    tasks.expectEnqueued(welcome, [matching((id: number) => id > 0)])
    tasks.expectEnqueued(invite, [partial({ address: { city: 'Ulm' } }), anything])
    tasks.expectEnqueued(invite, [
      partial<User>({ name: matching((name: string) => name.startsWith('A')) }),
      ['new', anything],
    ])
    tasks.expectEnqueued(invite, [anything, matching((tags: string[]) => tags.includes('vip'))])
  })

  it('takes -0 as JSON writes it', async () => {
    await echo.enqueue({ balance: -0 })
    tasks.expectEnqueued(echo, [{ balance: -0 }])
    tasks.expectEnqueued(echo, [{ balance: 0 }])
  })

  it.each<[string, object, object, boolean]>([
    ['objects in a list are whole', { a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }, false],
    ['and may be parts', { a: [{ b: 1, c: 2 }] }, { a: [partial({ b: 1 })] }, true],
    ['lists are whole', { a: [1, 2, 3] }, { a: [1] }, false],
    ['dates', { a: new Date(0) }, { a: new Date(5) }, false],
    ['the same date', { a: new Date(0) }, { a: new Date(0) }, true],
    ['what is not there', { a: 1 }, { b: undefined }, true],
    ['objects at any depth', { a: { b: 1, c: { d: 2, e: 3 } } }, { a: { c: { d: 2 } } }, true],
  ])('partial is the same in toEqual: %s', async (_, value, parts, holds) => {
    await echo.enqueue(JSON.parse(JSON.stringify(value)) as object)
    const inKit = () => tasks.expectEnqueued(echo, [partial(parts)])
    if (holds) {
      inKit()
      expect(value).toEqual(partial(parts))
      return
    }
    expect(inKit).toThrow(TaskExpectationError)
    expect(value).not.toEqual(partial(parts))
  })

  it('takes the matchers of Jest, at any depth', async () => {
    await invite.enqueue(ANN, ['new'])
    tasks.expectEnqueued(invite, [expect.objectContaining({ id: 1 }), expect.any(Array)])
    tasks.expectEnqueued(invite, [
      { id: expect.any(Number), name: expect.stringMatching(/^A/), address: expect.anything() },
      ['new'],
    ])
    expect([ANN]).toEqual([partial<User>({ id: 1, address: { zip: '89073' } })])
    expect({ a: 1, b: null }).toEqual({ a: anything, b: anything })
  })

  it('compares queue, priority, backend, keyword arguments and time where asked to', async () => {
    const when = new Date(Date.now() + 60_000)
    await welcome.using({ queueName: 'mail', priority: 7, runAfter: when }).enqueue(1)
    tasks.expectEnqueued(welcome, [1], { queueName: 'mail', priority: 7, backend: 'default' })
    tasks.expectEnqueued(welcome, [1], { runAfter: { of: new Date(when.getTime() + 900) } })
    tasks.expectEnqueued(welcome, [1], { runAfter: { of: new Date(0), within: Number.MAX_VALUE } })
    tasks.expectNotEnqueued(welcome, [1], { runAfter: null })
    await maybe.enqueueWith({ kwargs: { deep: true, size: 3 } })
    tasks.expectEnqueued(maybe, [], { kwargs: partial({ deep: true }), runAfter: null })
  })

  it('counts, where asked to', async () => {
    await welcome.enqueueMany([[1], [2], [1]])
    tasks.expectEnqueued(welcome, [1], { count: 2 })
    expect(messageOf(() => tasks.expectEnqueued(welcome, [1], { count: 1 }))).toBe(
      'Expected 1 calls of\n  mail.welcome(1) with count: 1\nand there were 2.\nLeave count out for one at least.',
    )
  })
})

describe('an expectation that fails', () => {
  it('shows the nearest calls, and where they differ', async () => {
    for (const id of [1, 2, 3, 4]) await welcome.enqueue(id)
    await welcome.using({ queueName: 'mail' }).enqueue(5, 'plain')
    expect(messageOf(() => tasks.expectEnqueued(welcome, [42, 'plain'], { queueName: 'mail' })))
      .toBe(`Task "mail.welcome" was not enqueued as expected:
  mail.welcome(42, "plain") with queueName: "mail"
The nearest of 5 calls:
  mail.welcome(5, "plain")
    args[0]: expected 42, got 5
  mail.welcome(1)
    args[0]: expected 42, got 1
    args[1]: expected "plain", got nothing
    queueName: expected "mail", got "default"
  mail.welcome(2)
    args[0]: expected 42, got 2
    args[1]: expected "plain", got nothing
    queueName: expected "mail", got "default"
Was it enqueued before the kit began, or is it awaited later?`)
  })

  it('names the paths within values, and matchers by their words', async () => {
    await invite.enqueue(ANN, ['a', 'b'])
    const isLong = (name: string): boolean => name.length > 9
    const told = messageOf(() =>
      tasks.expectEnqueued(invite, [
        { id: expect.any(String), name: matching(isLong), address: partial({ city: 'Bonn' }) },
        ['a'],
      ]),
    )
    expect(told).toContain(`args[0].id: expected Any<String>, got 1`)
    expect(told).toContain(`args[0].name: expected matching(isLong), got "Ann"`)
    expect(told).toContain(`args[0].address.city: expected "Bonn", got "Ulm"`)
    expect(told).toContain(`args[1][1]: expected nothing, got "b"`)
    expect(told).toContain(
      'mail.invite({ "id": Any<String>, "name": matching(isLong), "address": partial(city) }, ["a"])',
    )
  })

  it('tells what else was enqueued', async () => {
    expect(messageOf(() => tasks.expectEnqueued(welcome))).toContain(
      'mail.welcome(…)\nIt was not called. Nothing was enqueued.',
    )
    await nothing.enqueue()
    await echo.enqueue(1)
    await echo.enqueue(2)
    expect(messageOf(() => tasks.expectEnqueued(welcome, [1]))).toContain(
      'It was not called. These were: spec.nothing, spec.echo (2).',
    )
  })

  it('of a call that should not be there shows it', async () => {
    await welcome.enqueueMany([[1], [1]])
    expect(messageOf(() => tasks.expectNotEnqueued(welcome))).toBe(
      'Task "mail.welcome" was enqueued 2 times:\n  mail.welcome(1)\nName arguments to forbid only some calls.',
    )
  })

  it('shows no secrets, as the dashboard does', async () => {
    await login.enqueue({ password: 'hunter22222', token: 'abcdef123', name: 'hunter22222' })
    await echo.enqueue({ ibanOf: 'DE0012345678' })
    const told =
      messageOf(() =>
        tasks.expectEnqueued(login, [{ password: 'other-secret', token: anything, name: 'x' }]),
      ) + messageOf(() => tasks.expectEnqueued(echo, [{ ibanOf: 'DE999999999' }]))
    expect(told).toContain('args[0].password: expected [redacted], got [redacted]')
    expect(told).toContain('args[0].name: expected "x", got [redacted]')
    expect(told).not.toMatch(/hunter2|abcdef|other-secret|DE00|DE99/)
  })

  it('is cut where it is long', async () => {
    await echo.enqueue('x'.repeat(10_000))
    await echo.enqueue(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i])))
    const told = messageOf(() => tasks.expectEnqueued(echo, [{}]))
    expect(told).toContain('and 40 more')
    expect(told.length).toBeLessThan(4_000)
  })
})
