import 'reflect-metadata'
import { Inject, Injectable, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { TaskHandler, Tasks, TasksModule } from 'typeorm-tasks/nestjs'
import { perform, testTasks } from 'typeorm-tasks/testing'

class Mailer {
  async send(_to: string): Promise<void> {
    throw new Error('no mail is sent in tests')
  }
}

class Mail {
  constructor(private readonly mailer: Mailer) {}

  @TaskHandler('kit.welcome')
  async welcome(userId: number): Promise<string> {
    await this.mailer.send(`user ${userId}`)
    return 'sent'
  }
}
Inject(Mailer)(Mail, undefined as never, 0)
Injectable()(Mail)

class SignUp {
  async run(userId: number): Promise<void> {
    await Tasks.of(Mail).welcome.enqueue(userId)
  }
}

class AppModule {}
Module({
  imports: [
    TasksModule.forRoot({
      tasks: { default: { BACKEND: 'typeorm-tasks/backends/dummy#DummyBackend' } },
    }),
  ],
  providers: [Mailer, Mail, SignUp],
})(AppModule)

async function started(mailer: Pick<Mailer, 'send'>) {
  const made = Test.createTestingModule({ imports: [AppModule] })
  const module = await made.overrideProvider(Mailer).useValue(mailer).compile()
  return module.createNestApplication().init()
}

it('the test kit records tasks of an app of Nest, and runs them by its providers', async () => {
  const sent: string[] = []
  const tasks = testTasks()
  const app = await started({ send: async (to) => void sent.push(to) })

  await app.get(SignUp).run(42)
  tasks.expectEnqueued(Tasks.of(Mail).welcome, [42])
  expect(sent).toEqual([])
  await tasks.run()
  expect(sent).toEqual(['user 42'])

  await app.close()
  await tasks.restore()
})

it('one task is performed by the app that is there', async () => {
  const sent: string[] = []
  const app = await started({ send: async (to) => void sent.push(to) })
  const { returnValue } = await perform(Tasks.of(Mail).welcome, [7])
  expect([returnValue, sent]).toEqual(['sent', ['user 7']])
  await app.close()
})
