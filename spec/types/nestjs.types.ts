// Checked by the compiler alone: handlers and their handles in apps of Nest.
import type { Task, TaskContext } from 'typeorm-tasks'
import { InjectTask, TaskHandler, Tasks, TasksModule } from 'typeorm-tasks/nestjs'

class Dto {
  years!: number
  at!: Date
}

export class Mail {
  readonly sender = 'ann'

  @TaskHandler('mail.welcome', { queueName: 'mail', retry: { maxAttempts: 3 } })
  async welcome(userId: number, tone: 'warm' | 'plain' = 'warm'): Promise<{ sentTo: number }> {
    return { sentTo: userId * tone.length }
  }

  @TaskHandler('mail.digest', { takesContext: true, schedule: { cron: '0 7 * * *' } })
  digest(context: TaskContext, day?: string): string {
    return `${context.attempt} ${day}`
  }

  @TaskHandler('mail.age', { args: [Dto], schedules: { 'mail.often': { every: 60_000 } } })
  async age(_dto: Dto): Promise<void> {}

  // @ts-expect-error JSON has no Date
  @TaskHandler('mail.when')
  async when(_when: Date): Promise<void> {}

  // @ts-expect-error a private method is no task
  @TaskHandler('mail.secret')
  private async secret(): Promise<void> {}

  // @ts-expect-error an option that there is not
  @TaskHandler('mail.typo', { retyr: {} })
  async typo(): Promise<void> {}

  // @ts-expect-error the context is not asked for
  @TaskHandler('mail.context')
  async context(_context: TaskContext): Promise<void> {}

  // @ts-expect-error nothing takes the context
  @TaskHandler('mail.noContext', { takesContext: true })
  async noContext(_day: string): Promise<void> {}

  use(): unknown {
    return this.secret()
  }
}

export const welcome: Task<[userId: number, tone?: 'warm' | 'plain'], { sentTo: number }> =
  Tasks.of(Mail).welcome
export const digest: Task<[day?: string], string> = Tasks.of(Mail).digest
export const enqueued = (): Promise<unknown> => Tasks.of(Mail).welcome.enqueue(42, 'plain')

// @ts-expect-error it takes a number
export const wrong = (): Promise<unknown> => Tasks.of(Mail).welcome.enqueue('42')
// @ts-expect-error a property is no task
export const property: unknown = Tasks.of(Mail).sender

export class Caller {
  constructor(
    @InjectTask(Mail, 'welcome') readonly task: Task<[number], { sentTo: number }>,
    readonly tasks: Tasks,
  ) {}

  // @ts-expect-error Mail has no such method
  @InjectTask(Mail, 'farewell')
  readonly other!: unknown

  all(): Task<[day?: string], string> {
    return this.tasks.of(Mail).digest
  }
}

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
export const modules = [
  TasksModule.forRoot({ tasks: { default: { BACKEND } } }),
  TasksModule.forRoot({ tasks: { default: { BACKEND } }, worker: false, middleware: [] }),
  TasksModule.forRootAsync({
    inject: ['config'],
    useFactory: async (config: { worker: boolean }) => ({
      tasks: { default: { BACKEND, QUEUES: ['default'] } },
      worker: config.worker && { queues: '*' },
    }),
  }),
]
