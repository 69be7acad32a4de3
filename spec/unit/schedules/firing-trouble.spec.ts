import { configureTasks, schedule, setMiddleware, task } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { backends } from '../../../lib/backend-registry'
import { bare, each, Ground, MINUTE_MS, slotOf } from './firing-ground'

const listed = task('firing.listed', (value: number) => value)

let ground: Ground
beforeEach(() => void (ground = new Ground()))
afterEach(() => ground.end())

describe('errors', () => {
  it('of the arguments are told once, and the slot is tried again', async () => {
    let isBroken = true
    schedule('spec.broken', listed, {
      every: 10 * MINUTE_MS,
      args: () => {
        if (isBroken) throw new RangeError('no such day')
        return [1]
      },
    })
    schedule('spec.sound', bare, { every: 10 * MINUTE_MS })
    ground.start()
    await ground.clock.advance(11 * MINUTE_MS)
    expect(ground.fired()).toEqual(['10:00'])
    isBroken = false
    await ground.clock.advance(2 * MINUTE_MS)
    expect([...ground.table.rows.values()].map((row) => slotOf(row).schedule)).toEqual([
      'spec.sound',
      'spec.broken',
    ])
    expect(slotOf([...ground.table.rows.values()][1]!)).toMatchObject({
      at: '2026-05-04T10:10:00.000Z',
    })
    expect(ground.warnings()).toEqual([
      expect.stringContaining('Schedule "spec.broken" could not be fired: '),
    ])
  })

  it('of a backend that cannot fire schedules end the work, with one line', async () => {
    each()
    configureTasks({ default: { BACKEND: DummyBackend, QUEUES: [] } })
    ground.start()
    await ground.clock.advance(5 * MINUTE_MS)
    expect(ground.warnings()).toEqual([
      expect.stringMatching(
        /^This worker fires no schedules: .*DummyBackend \(TASKS.default\) cannot fire schedules/,
      ),
    ])
  })

  it('of a database that does not answer end when it does', async () => {
    each({ missed: 'all' })
    const newest = jest.spyOn(backends.get('default'), 'newestSlot')
    ground.start()
    await ground.clock.advance(MINUTE_MS)
    newest.mockRejectedValue(new Error('away'))
    await ground.clock.advance(2 * MINUTE_MS)
    expect(ground.fired()).toEqual(['01:00'])
    newest.mockRestore()
    await ground.clock.advance(MINUTE_MS)
    expect(ground.fired()).toEqual(['01:00', '02:00', '03:00', '04:00'])
    expect(ground.warnings()).toEqual([
      expect.stringMatching(/^Schedule "spec.each" could not be fired: .*away/),
    ])
  })
})

it('a middleware may change the order of a slot, which keeps its key', async () => {
  const earlier = setMiddleware([
    {
      enqueue: ({ task: given, args, kwargs, argsKwargs }, next) =>
        next({ task: given.using({ queueName: 'slow' }), args, kwargs, argsKwargs, key: null }),
    },
  ])
  each()
  ground.start(3)
  await ground.clock.advance(2 * MINUTE_MS).finally(() => setMiddleware(earlier))
  expect(ground.fired()).toEqual(['01:00', '02:00'])
  expect([...ground.table.rows.values()].map((row) => row.queue_name)).toEqual(['slow', 'slow'])
})

it("goes by the database's clock, and says that this process has another one", async () => {
  each()
  ground.start()
  await ground.clock.advance(MINUTE_MS)
  ground.ahead = 5 * MINUTE_MS
  await ground.clock.advance(MINUTE_MS)
  expect(ground.fired()).toEqual(['01:00', '02:00'])
  expect(ground.warnings()).toEqual([
    "The clock of this process is 300 s ahead of the database's: schedules go by the database's",
  ])
})
