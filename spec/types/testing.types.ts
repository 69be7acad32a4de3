// Checked by the compiler alone, by each version that apps may have: spec/package/compilers.spec.ts.
import type { DataSource, EntityManager } from 'typeorm'
import { schedule, task, type Task, type TaskResult } from 'typeorm-tasks'
import {
  anything,
  type DatabaseTasks,
  matching,
  partial,
  perform,
  type RecordedTasks,
  testTasks,
} from 'typeorm-tasks/testing'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

interface User {
  id: number
  name: string
  address?: { city: string; zip: string }
}

class Order {
  id = 0
  total(): number {
    return this.id
  }
}

export async function recorded(): Promise<void> {
  const welcome = task('types.testing.welcome', (id: number, tone: 'warm' | 'plain' = 'warm') => ({
    id,
    tone,
  }))
  const invite = task('types.testing.invite', (user: User, tags: string[]) => tags.length + user.id)
  const ship = task('types.testing.ship', (order: Order) => order.total(), { args: [Order] })
  const tasks = testTasks()
  same<typeof tasks, RecordedTasks>(true)

  const result = tasks.expectEnqueued(welcome, [42, 'warm'], { queueName: 'mail', priority: 1 })
  same<typeof result, TaskResult<{ id: number; tone: 'warm' | 'plain' }>>(true)
  tasks.expectEnqueued(welcome)
  tasks.expectEnqueued(welcome, [42])
  tasks.expectEnqueued(welcome, [anything, anything])
  tasks.expectEnqueued(welcome, [matching((id: number) => id > 1)], { runAfter: null, count: 2 })
  tasks.expectEnqueued(welcome, [1], { runAfter: { of: new Date(), within: 1_000 } })
  tasks.expectEnqueued(invite, [{ id: 1, name: anything }, ['a', anything]])
  tasks.expectEnqueued(invite, [partial<User>({ address: { city: 'Ulm' } }), anything])
  tasks.expectEnqueued(invite, [partial({ id: 1 }), ['a']], { kwargs: partial({ a: 1 }) })
  tasks.expectEnqueued(ship, [{ id: 7 }])
  tasks.expectEnqueued(ship, [new Order()])
  tasks.expectNotEnqueued(invite, [anything, []])
  // What Jest and Vitest give for expect.any(…) is any, or has this method.
  const any: any = {} // oxlint-disable-line typescript/no-explicit-any
  tasks.expectEnqueued(invite, [any, [any]])
  tasks.expectEnqueued(invite, [{ asymmetricMatch: (value: unknown) => value !== 1 }, ['a']])

  // @ts-expect-error -- an argument of another type
  tasks.expectEnqueued(welcome, ['42'])
  // @ts-expect-error -- no such tone
  tasks.expectEnqueued(welcome, [42, 'cold'])
  // @ts-expect-error -- one argument too many
  tasks.expectEnqueued(welcome, [42, 'warm', 1])
  // @ts-expect-error -- a member of another type
  tasks.expectEnqueued(invite, [{ id: '1', name: 'x' }, []])
  // @ts-expect-error -- no such member
  tasks.expectEnqueued(invite, [{ id: 1, name: 'x', age: 3 }, []])
  // @ts-expect-error -- a part of another type
  tasks.expectEnqueued(invite, [partial<User>({ address: { city: 1 } }), []])
  // @ts-expect-error -- no such option
  tasks.expectEnqueued(welcome, [42], { queue: 'mail' })
  // @ts-expect-error -- nothing to look inside of: tasks are in memory
  tasks.expectEnqueued(welcome, [42], { manager: {} as EntityManager })
  // @ts-expect-error -- no expectation of none by a number
  tasks.expectNotEnqueued(welcome, [42], { count: 0 })

  const all = tasks.enqueued()
  same<typeof all, TaskResult<unknown>[]>(true)
  const own = tasks.enqueued(welcome)
  same<typeof own, TaskResult<{ id: number; tone: 'warm' | 'plain' }>[]>(true)
  const { runs } = await tasks.run({ untilFinished: true, throwFailures: false, atMost: 5 })
  same<typeof runs, number>(true)
  const fired = await tasks.fire(
    schedule('types.testing.hourly', welcome, { cron: '@hourly', args: [1] }),
  )
  same<typeof fired, TaskResult<{ id: number; tone: 'warm' | 'plain' }>>(true)
  const finished = await tasks.finished(result, { timeout: 1_000 })
  same<typeof finished, typeof result>(true)
  await (await tasks.workers(2, { concurrency: 1 })).stop()
  await tasks.restore()
}

export async function disposed(add: Task<[a: number, b?: number], number>): Promise<void> {
  using tasks = testTasks()
  tasks.expectNotEnqueued(add)
  await using rows = testTasks({ mode: 'database' })
  await rows.expectNotEnqueued(add)
}

export async function performed(add: Task<[a: number, b?: number], number>): Promise<void> {
  const result = await perform(add, [1, 2], { attempt: 2, signal: new AbortController().signal })
  same<typeof result, TaskResult<number>>(true)
  await perform(add, [1])
  // @ts-expect-error -- an argument of another type
  await perform(add, ['1'])
  // @ts-expect-error -- an argument is missing
  await perform(add, [])
}

export async function inADatabase(
  dataSource: DataSource,
  manager: EntityManager,
  add: Task<[a: number, b?: number], number>,
): Promise<void> {
  const tasks = testTasks({ database: dataSource })
  same<typeof tasks, DatabaseTasks>(true)
  const other = testTasks({ mode: 'database', redact: { keys: ['iban'] } })
  same<typeof other, DatabaseTasks>(true)
  const result = await tasks.expectEnqueued(add, [1, anything], { manager, queueName: 'mail' })
  same<typeof result, TaskResult<number>>(true)
  await tasks.expectNotEnqueued(add, [2], { manager })
  const own = await tasks.enqueued(add, { manager })
  same<typeof own, TaskResult<number>[]>(true)
  await tasks.drain({ manager, queues: ['mail'], untilFinished: true })
  await tasks.travel(1_000, { manager })
  // @ts-expect-error -- an argument of another type
  await tasks.expectEnqueued(add, ['1'])
  // @ts-expect-error -- no such mode
  testTasks({ mode: 'eager' })
  // @ts-expect-error -- in memory there is no database
  testTasks({ mode: 'inline', database: dataSource })
}
