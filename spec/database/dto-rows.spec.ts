import { IsEmail, IsNotEmpty } from 'class-validator'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { remoteTask, task } from '#define'
import { databases } from '../support/databases'
import { catchLog } from '../support/tasks'

class SendMail {
  @IsEmail()
  to!: string

  @IsNotEmpty()
  subject = 'Hello'

  headline(): string {
    return `${this.subject}, ${this.to}`
  }
}

task('spec.dto.patient', (mail: SendMail) => mail.headline(), {
  args: [SendMail],
  retry: { maxAttempts: 3, delay: 0 },
})

let dataSource: DataSource
beforeAll(
  async () =>
    void (dataSource = await databases()[0]!.connect({
      entities: [DBTaskResult],
      synchronize: true,
    })),
)
beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
})

it('a row that somebody else wrote is run with instances where it fits, and fails at its first attempt where it does not', async () => {
  const elsewhere = remoteTask<[unknown]>('spec.dto.patient')
  const [fit, unfit] = await elsewhere.enqueueMany([
    [{ to: 'ann@mail.org', subject: 'Hi' }],
    [{ to: 'ann', subject: 'Hi' }],
  ])

  await runUntilEmpty({ concurrency: 2 })

  expect((await fit!.refresh()).returnValue).toBe('Hi, ann@mail.org')
  expect(await unfit!.refresh()).toMatchObject({
    status: 'FAILED',
    attempts: 1,
    errors: [
      {
        exceptionClassPath: 'typeorm_tasks.InvalidTaskError',
        traceback: expect.stringContaining(
          `Task "spec.dto.patient", args[0].to: to must be an email, got a string.`,
        ) as string,
      },
    ],
  })
})
