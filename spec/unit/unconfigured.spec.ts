import { task } from 'typeorm-tasks'
import { backends } from '#backend-registry'
import { catchLog, type Line } from '../support/tasks'

const double = task('unconfigured.double', (n: number) => 2 * n)

describe('with no configureTasks in this process', () => {
  let log: Line[]

  beforeAll(() => {
    backends.configure(undefined)
    log = catchLog()
  })

  it('a task runs at once, and the first one says so', async () => {
    expect((await double.enqueue(2)).returnValue).toBe(4)
    await double.enqueue(3)

    expect(log.filter(([level]) => level === 'warn')).toEqual([
      [
        'warn',
        'TASKS is not configured in this process: tasks run at once, in the process that enqueues them, and nothing is stored. Call configureTasks({ default: { … } }) in this process, or import the file that calls it. In NestJS import TasksModule.forRoot({ tasks: { default: { … } } }).',
      ],
    ])
  })

  it('a queue is not blamed on QUEUES, which nobody has read', async () => {
    await expect(double.using({ queueName: 'mail' }).enqueue(1)).rejects.toThrow(
      'Task "unconfigured.double": there is no queue "mail", since TASKS is not configured in this process. Call configureTasks(',
    )
  })
})
