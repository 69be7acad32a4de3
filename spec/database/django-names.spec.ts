import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, type Problem, startWorker, task } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { tasks } from '#registry'
import { describeEachDatabase } from '../support/databases'
import { djangosTable } from '../support/django-table'
import { catchLog } from '../support/tasks'

const ABOUT = 'Names of tasks begin with a module that every Django can import: '

describeEachDatabase((database) => {
  afterEach(() => tasks.clear())

  it("check and a worker warn of names that Python can import, on Django's table", async () => {
    const dataSource = await djangosTable(database, { ordering: true })
    for (const name of ['calendar.month', 'django.contrib.sites.models.Site', 'email.message'])
      task(name, () => 1)
    const names = '"calendar.month", "django.contrib.sites.models.Site", "email.message". '

    const problems = await check(dataSource)
    const log = catchLog()
    await (await startWorker()).stop()

    expect(problems).toEqual([
      {
        level: 'warning',
        message: expect.stringContaining(ABOUT + names),
        hint: expect.stringContaining('"node."'),
      },
    ])
    expect(log).toContainEqual(['warn', expect.stringContaining(ABOUT + names)])
  })

  it('they count more than a few, and say nothing of names that Python cannot import', async () => {
    const dataSource = await djangosTable(database, { ordering: true })
    for (const name of ['calendar', 'calendars.month', 'node.email.message']) task(name, () => 1)
    expect(await check(dataSource)).toEqual([])

    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) task(`queue.${name}`, () => 1)
    expect(await check(dataSource)).toMatchObject([
      { message: expect.stringContaining('"queue.e" and 2 more.') },
    ])
  })

  it('they say nothing where the table is of this library alone', async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    task('calendar.month', () => 1)

    expect(await check(dataSource)).toEqual([])
  })
})

async function check(dataSource: DataSource): Promise<Problem[]> {
  const OPTIONS = { dataSource }
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS } })
  return new DatabaseBackend('default', { queues: [], options: OPTIONS }).check()
}
