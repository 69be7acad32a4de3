import { configureTasks, InvalidSettingsError, InvalidTaskError, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { DummyBackend } from '#dummy'
import { MemoryBackend } from '#memory/backend'
import { pruneQueryOf, pruneSettingsOf, retentionQueryOf } from '#prune-options'
import { tasks } from '#registry'
import type { KeepResults } from '../../lib/retention'
import { catchLog } from '../support/tasks'

const DAY_MS = 86_400_000
const HUNDRED_YEARS_MS = 36_500 * DAY_MS
const NUMBER = `expected a number of milliseconds from 0 to ${HUNDRED_YEARS_MS}`
const EITHER = `${NUMBER}, or { successful, failed } with such numbers`

beforeEach(() => {
  catchLog()
  tasks.clear()
  configureTasks({ default: { BACKEND: DummyBackend } })
})

const define = (name: string, keepResults: unknown) =>
  task(name, () => 1, { keepResults: keepResults as number })

describe('a time that no result can be kept for', () => {
  const bad: [unknown, string, string][] = [
    [-1, '', `${EITHER}, got -1. `],
    [HUNDRED_YEARS_MS + 1, '', `${EITHER}, got ${HUNDRED_YEARS_MS + 1}. `],
    [Number.NaN, '', `${EITHER}, got NaN. `],
    ['7d', '', `${EITHER}, got '7d'. `],
    [[1, 2], '', `${EITHER}, got an array. `],
    [{ failed: -1 }, 'failed', `${NUMBER}, got -1. Write e.g. 7 * 24 * 60 * 60 * 1000 for a week`],
    [{ successful: null }, 'successful', `${NUMBER}, got null. `],
    [{ succesful: 1 }, 'unknown', 'unknown key "succesful". Did you mean "successful"?'],
  ]

  it.each(bad)('is refused where a task is defined: %j', (keep, part, told) => {
    const at = part === 'unknown' ? ', keepResults: ' : `, keepResults${part && `.${part}`}: `
    expect(() => define('kept.bad', keep)).toThrow(InvalidTaskError)
    expect(() => define('kept.bad', keep)).toThrow(`Task "kept.bad"${at}${told}`)
  })

  it.each(bad)('is refused in OPTIONS: %j', (retention, part, told) => {
    const at = part === '' || part === 'unknown' ? ': ' : `, ${part}: `
    for (const BACKEND of [MemoryBackend, DatabaseBackend]) {
      const configure = () =>
        configureTasks({ default: { BACKEND, OPTIONS: { retention } } } as never)
      expect(configure).toThrow(InvalidSettingsError)
      expect(configure).toThrow(`TASKS.default.OPTIONS.retention${at}${told}`)
    }
  })

  it('is not for one enqueue', () => {
    expect(() => define('kept.day', DAY_MS).using({ keepResults: 1 } as never)).toThrow(
      'unknown option "keepResults"',
    )
  })
})

it('nothing, null, 0 and a hundred years can be said', () => {
  for (const keep of [undefined, null, 0, HUNDRED_YEARS_MS, {}, { failed: undefined }]) {
    expect(define('kept.good', keep).keepResults).toBe(keep ?? null)
    configureTasks({
      default: { BACKEND: MemoryBackend, OPTIONS: { retention: keep } },
    } as never)
  }
})

describe('a throttle that lasts longer than its row', () => {
  const throttle = { key: 'x', every: DAY_MS }
  const configure = (retention: unknown) =>
    configureTasks({ default: { BACKEND: MemoryBackend, OPTIONS: { retention } } } as never)

  it('is refused, whoever deletes the row', async () => {
    configure({ failed: DAY_MS - 1 })
    expect(() => task('kept.throttled', () => 1, { throttle })).toThrow(
      `Task "kept.throttled" is throttled for ${DAY_MS} ms, and its results are kept for ${DAY_MS - 1} ms only: without its row a throttle ends. Keep its results for as long at least, by keepResults of the task or OPTIONS.retention of TASKS.default.`,
    )
    const short = define('kept.short', 1)
    expect(() => short.using({ throttle })).toThrow(InvalidTaskError)
  })

  it('is taken if the row lasts as long', () => {
    configure(1)
    task('kept.own', () => 1, { throttle, keepResults: DAY_MS })
    configure(DAY_MS)
    task('kept.general', () => 1, { throttle })
    configure(null)
    task('kept.forever', () => 1, { throttle })
  })
})

describe('what is deleted', () => {
  const by = (options: object, retention: KeepResults | null = null) =>
    pruneQueryOf(pruneSettingsOf(options), retention)
  const ages = (minAge?: number, failedMinAge = minAge) => ({ minAge, failedMinAge })

  const byHand: [object, KeepResults | null, object][] = [
    [{}, null, ages(14 * DAY_MS)],
    [{}, 5, ages(5)],
    [{}, { successful: 5 }, ages(5, 14 * DAY_MS)],
    [{ minAge: 3 }, 5, ages(3)],
    [{ failedMinAge: 3 }, 5, ages(5, 3)],
    [{ failedMinAge: 3 }, { failed: 5 }, ages(14 * DAY_MS, 3)],
    [{ minAge: 0, failedMinAge: 1e300 }, 5, ages(0, HUNDRED_YEARS_MS)],
  ]
  it.each(byHand)(
    'by hand with the options %j, where the backend says %j',
    (options, retention, general) => {
      expect(by(options, retention)).toEqual({
        queues: ['default'],
        dryRun: false,
        tasks: [],
        ...general,
      })
    },
  )

  it('by hand: tasks go by what they say themselves, and by the rest where they say nothing', () => {
    define('kept.both', 7)
    define('kept.failed', { failed: 9 })
    define('kept.not', null)

    const own = { name: 'kept.both', ...ages(7) }
    expect(by({}, { successful: 5 }).tasks).toEqual([own, { name: 'kept.failed', ...ages(5, 9) }])
    expect(by({ minAge: 0 }, 5).tasks).toEqual([own, { name: 'kept.failed', ...ages(0, 9) }])
  })

  it('by workers: nothing, if nothing is said', () => {
    define('kept.not', null)
    define('kept.empty', {})
    expect(retentionQueryOf(null)).toBeUndefined()
    expect(retentionQueryOf({})).toBeUndefined()
  })

  it('by workers: what tasks and the backend say, in all queues', () => {
    expect(retentionQueryOf({ failed: 5 })).toEqual({
      queues: null,
      dryRun: false,
      tasks: [],
      ...ages(undefined, 5),
    })
    define('kept.successful', { successful: 7 })
    expect(retentionQueryOf(null)).toMatchObject({
      tasks: [{ name: 'kept.successful', minAge: 7, failedMinAge: undefined }],
    })
    expect(retentionQueryOf(5)).toMatchObject({
      ...ages(5),
      tasks: [{ name: 'kept.successful', ...ages(7, 5) }],
    })
  })
})
