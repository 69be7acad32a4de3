import { configureTasks, InvalidTaskError } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { task } from '#define'
import { tasks } from '#registry'
import { catchLog } from '../support/tasks'

/** What `next dev` does to two files: each edit evaluates one of them again, and what imports it. */
describe('in development, after an edit', () => {
  const env = process.env['NODE_ENV']
  const configure = (...queues: string[]): void =>
    void configureTasks({ default: { BACKEND: DummyBackend, QUEUES: queues } })

  beforeEach(() => {
    catchLog()
    process.env['NODE_ENV'] = 'development'
    configure('default')
    task('reload.mail', () => 1)
  })
  afterEach(() => {
    process.env['NODE_ENV'] = env
    tasks.clear()
  })

  it('a task may be put into a queue before TASKS has it; until then its enqueues are refused', async () => {
    const mail = task('reload.mail', () => 1, { queueName: 'mail' })
    await expect(mail.enqueue()).rejects.toThrow(InvalidTaskError)
    await expect(mail.using({ priority: 1 }).enqueue()).rejects.toThrow('queue "mail" is not in')

    configure('default', 'mail')

    expect((await mail.enqueue()).queueName).toBe('mail')
  })

  it('a queue may go from TASKS before its task leaves it', async () => {
    configure('default', 'mail')
    task('reload.mail', () => 1, { queueName: 'mail' })

    configure('default')

    expect((await task('reload.mail', () => 1).enqueue()).queueName).toBe('default')
  })

  it('elsewhere, and in the command line, both are refused at once', () => {
    for (const [isCommandLine, mode] of [
      [true, 'development'],
      [false, 'production'],
    ] as const) {
      tasks.refuseOthers(isCommandLine)
      process.env['NODE_ENV'] = mode
      try {
        expect(() => task('reload.other', () => 1, { queueName: 'mail' })).toThrow(InvalidTaskError)
        expect(() => configure('mail')).toThrow(InvalidTaskError)
      } finally {
        tasks.refuseOthers(false)
      }
    }
  })
})
