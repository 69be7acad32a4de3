import { configureTasks, TaskBackend } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { DummyBackend } from '#dummy'
import { isElsewhere } from '../../cli/app/exports'
import { backends } from '../../lib/backend-registry'

class Audited extends DatabaseBackend {}
class Recording extends DummyBackend {}
class OnQueue extends TaskBackend {
  override async enqueue(): Promise<never> {
    throw new Error('not called')
  }
  override async openStore(): Promise<never> {
    throw new Error('not called')
  }
}

const REDIS = 'typeorm-tasks/backends/bullmq#BullMQBackend'

describe('tasks are elsewhere than in a database', () => {
  const before = backends.configured
  beforeEach(() => backends.configure(undefined))
  afterAll(() => backends.configure(before))

  it.each<[string, unknown, boolean]>([
    ['on Redis', REDIS, true],
    ['in a class of the app with a store', OnQueue, true],
    ['in the Database backend', DatabaseBackend, false],
    ['in a class that extends it, whatever its name', Audited, false],
    ['in the Immediate backend', 'typeorm-tasks/backends/immediate#ImmediateBackend', false],
    ['in a class that extends the Dummy backend', Recording, false],
  ])('as settings: %s', (_, BACKEND, expected) => {
    expect(isElsewhere({ default: { BACKEND } })).toBe(expected)
  })

  it('not if one of several is in a database, and not without settings', () => {
    expect(isElsewhere({ a: { BACKEND: REDIS }, b: { BACKEND: Audited } })).toBe(false)
    expect(isElsewhere(undefined)).toBe(false)
  })

  it('as configured', () => {
    configureTasks({ default: { BACKEND: OnQueue } })
    expect(isElsewhere(undefined)).toBe(true)
    configureTasks({ default: { BACKEND: OnQueue }, other: { BACKEND: Recording } })
    expect(isElsewhere(undefined)).toBe(true)
    configureTasks({ default: { BACKEND: Recording } })
    expect(isElsewhere(undefined)).toBe(false)
  })
})
