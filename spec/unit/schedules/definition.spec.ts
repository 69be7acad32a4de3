import {
  configureTasks,
  schedule,
  type ScheduleOptions,
  setMiddleware,
  task,
  type TaskContext,
} from 'typeorm-tasks'
import type { DummyBackend } from '#dummy'
import { tasks } from '#registry'
import { schedules } from '../../../lib/schedules/registry'
import { backends } from '../../../lib/backend-registry'
import { catchLog } from '../../support/tasks'

const SLOT = new Date('2026-03-29T01:00:00Z')
const bare = task('scheduled.bare', () => {})
const named = task('scheduled.named', (name: string) => name)
const keyed = task('scheduled.keyed', () => {}, { uniqueKey: 'one' })
const told = task(
  'scheduled.told',
  ({ slot }: TaskContext, day: string) => ({ ...slot, at: slot?.at.toISOString(), day }),
  { takesContext: true },
)

beforeAll(() => catchLog())
afterEach(() => schedules.clear())

const define = (options: unknown, name = 'spec.x') => schedule(name, bare, options as never)

describe('a definition', () => {
  it.each<[string, unknown, string]>([
    ['neither', {}, 'has neither cron nor every. Write cron'],
    ['both', { cron: '* * * * *', every: 1_000 }, 'has both cron and every. Write cron'],
    ['an unknown option', { evry: 1_000 }, 'unknown option "evry". Did you mean "every"?'],
    ['an empty expression', { cron: '' }, "cron: expected 1 to 200 printable characters, got ''"],
    ['blanks', { cron: '   ' }, "cron: '' is no cron expression: it has 0 fields, not 5"],
    ['a word', { cron: 'daily' }, 'it has 1 field, not 5. Write'],
    ['four fields', { cron: '* * * *' }, 'it has 4 fields, not 5. Write minute, hour, day'],
    ['seconds', { cron: '*/5 * * * * *' }, 'it has 6 fields, not 5.'],
    ['seconds, with the way out', { cron: '*/5 * * * * *' }, 'For less than a minute take every'],
    ['a minute that is none', { cron: '61 * * * *' }, 'invalid value for minute: 61. Write'],
    ['a long range', { cron: '1--100000000 * * * *' }, "illegal range: '1--100000000'"],
    ['a day that never comes', { cron: '0 0 30 2 *' }, "'0 0 30 2 *' is never due. There is no"],
    ['a start of the machine', { cron: '@reboot' }, 'no cron expression. Write @hourly, @daily'],
    ['an interval', { cron: '@every 5m' }, 'for an interval take every, in ms'],
    ['a number', { cron: 5 }, 'cron: expected 1 to 200 printable characters, got 5'],
    ['length', { cron: `${'1,'.repeat(100)}1 * * * *` }, 'cron: expected 1 to 200 printable'],
    [
      'an unknown zone',
      { cron: '* * * * *', timeZone: 'Europe/Berlim' },
      `timeZone: 'Europe/Berlim' is not known. Did you mean "Europe/Berlin"?`,
    ],
    ['a city', { cron: '* * * * *', timeZone: 'new york' }, 'Did you mean "America/New_York"?'],
    ['no zone at all', { cron: '* * * * *', timeZone: 'nowhere at all' }, 'IANA time zone'],
    ['a zone with every', { every: 1_000, timeZone: 'UTC' }, 'timeZone goes with cron only'],
    ['more than once a second', { every: 999 }, 'milliseconds from 1000, once a second'],
    ['half a millisecond', { every: 1_000.5 }, 'every: expected a whole number'],
    ['years', { every: 1e12 }, 'every: expected a whole number'],
    ['missed', { every: 1_000, missed: 'never' }, "expected 'skip', 'once' or 'all', got 'never'"],
    ['overlap', { every: 1_000, overlap: 'queue' }, "expected 'allow' or 'skip', got 'queue'"],
    ['all and skip', { every: 1_000, missed: 'all', overlap: 'skip' }, 'leaves some out. Take'],
    ['within', { every: 1_000, within: -1 }, 'within: expected a number of milliseconds'],
    ['arguments', { every: 1_000, args: 'x' }, 'args: expected a list of arguments'],
    ['what JSON has not', { every: 1_000, args: [1n] }, 'args[0]: bigint'],
    ['an instant', { every: 1_000, using: { runAfter: SLOT } }, 'using.runAfter: the schedule'],
    ['a key', { every: 1_000, using: { uniqueKey: 'x' } }, 'asks for uniqueKey'],
    ['using', { every: 1_000, using: { queue: 'x' } }, 'unknown option "queue"'],
  ])('with %s is refused', (_, options, message) => {
    expect(() => define(options)).toThrow(message)
    expect(schedules.all()).toEqual([])
  })

  it('says its name, and asks for a sound one and for a task', () => {
    expect(() => define({}, 'nightly')).toThrow('Schedule "nightly" has neither')
    expect(() => define({ every: 1_000 }, 'my schedule')).toThrow('expected a dotted identifier')
    expect(() => schedule('spec.x', undefined as never, { every: 1_000 })).toThrow(
      'task: expected a task, got undefined. Pass what task(…) gave.',
    )
  })

  it('of a task with a key is refused, unless that is taken off', () => {
    expect(() => schedule('spec.x', keyed, { every: 1_000 })).toThrow(
      'task "scheduled.keyed" asks for uniqueKey, and the row of a slot has the slot\'s key. Take it off: using: { uniqueKey: null }',
    )
    expect(
      schedule('spec.x', keyed, { every: 1_000, using: { uniqueKey: null } }).task,
    ).toMatchObject({ uniqueKey: null })
  })

  it('of a name that is taken replaces the earlier one, and is refused in the command line', () => {
    const [first, second] = [define({ every: 1_000 }), define({ every: 2_000 })]
    expect(first).not.toBe(second)
    expect(schedules.all()).toEqual([second])
    schedules.clear()
    tasks.refuseOthers()
    try {
      // A file that is evaluated twice.
      for (let i = 0; i < 2; i++) define({ every: 3_000 })
      expect(() => schedule('spec.x', bare, { every: 3_000 })).toThrow(
        /Two schedules are named "spec.x": .*definition\.spec\.ts:\d+ and .*definition\.spec\.ts:\d+. Rename one/,
      )
    } finally {
      tasks.refuseOthers(false)
    }
  })

  it('has a history by name, expression and zone, and by nothing else', () => {
    const idOf = (options: ScheduleOptions<[]>, name = 'spec.x') => schedule(name, bare, options).id
    const id = idOf({ cron: '30 2 * * *' })
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(idOf({ cron: ' 30  2 * * *', timeZone: 'UTC', missed: 'all', within: 5 })).toBe(id)
    const others = [
      idOf({ cron: '31 2 * * *' }),
      idOf({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' }),
      idOf({ cron: '30 2 * * *' }, 'spec.y'),
      idOf({ every: 60_000 }),
    ]
    expect(new Set([id, ...others]).size).toBe(5)
  })

  it('says when it is due', () => {
    const nightly = schedule('spec.x', bare, { cron: '30 2 * * *', timeZone: 'Europe/Berlin' })
    expect(nightly.next(2, new Date('2026-03-28T12:00:00Z'))).toEqual([
      new Date('2026-03-29T01:00:00Z'),
      new Date('2026-03-30T00:30:00Z'),
    ])
    expect(() => nightly.next(0)).toThrow('next(count): expected a whole number, 1 or more')
    expect(() => nightly.next(1, new Date(Number.NaN))).toThrow('got an invalid Date')
  })
})

describe('fire', () => {
  const withBackend = (name: 'immediate#Immediate' | 'dummy#Dummy'): void =>
    void configureTasks({
      default: { BACKEND: `typeorm-tasks/backends/${name}Backend` as never, QUEUES: [] },
    })

  it('runs a slot on the Immediate backend, as often as it is called', async () => {
    withBackend('immediate#Immediate')
    const daily = schedule('spec.daily', told, {
      cron: '@daily',
      args: async ({ slot }) => [slot.toISOString().slice(0, 10)],
    })
    for (let i = 0; i < 2; i++) {
      const { returnValue, isDuplicate } = await daily.fire(SLOT)
      expect(isDuplicate).toBe(false)
      expect(returnValue).toEqual({
        schedule: 'spec.daily',
        at: SLOT.toISOString(),
        late: true,
        day: '2026-03-29',
      })
    }
    const before = Date.now()
    const { returnValue } = await daily.fire()
    expect(Date.parse(String(returnValue.at))).toBeGreaterThanOrEqual(before)
    expect(returnValue.late).toBe(false)
    await expect(daily.fire('tomorrow' as never)).rejects.toThrow(
      'fire(slot): expected a valid Date',
    )
  })

  it('of any other run the slot is null', async () => {
    withBackend('immediate#Immediate')
    const { returnValue } = await told.enqueue('x')
    expect(returnValue).toEqual({ day: 'x' })
  })

  it('enqueues on the Dummy backend, with what the schedule uses, through the middleware', async () => {
    withBackend('dummy#Dummy')
    const earlier = setMiddleware([
      { enqueue: (order, next) => next({ ...order, args: [`${String(order.args[0])}!`] }) },
    ])
    const hourly = schedule('spec.hourly', named, {
      cron: '@hourly',
      args: ['Ada'],
      using: { queueName: 'mail', priority: 5 },
      enabled: false,
    })
    try {
      await hourly.fire()
    } finally {
      setMiddleware(earlier)
    }
    const [result] = (backends.get('default') as DummyBackend).results
    expect(result).toMatchObject({
      taskName: 'scheduled.named',
      args: ['Ada!'],
      queueName: 'mail',
      priority: 5,
      runAfter: null,
    })
  })
})
