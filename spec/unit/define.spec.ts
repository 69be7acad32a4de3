import { configureTasks } from 'typeorm-tasks'
import { DummyBackend } from '#dummy'
import { task, type TaskDecorator, taskOf } from '#define'
import { InvalidTaskError } from '#errors'
import { tasks } from '#registry'
import { catchLog } from '../support/tasks'

beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: DummyBackend, QUEUES: [] } })
})

class Reports {
  static readonly factor: number = 2

  @task('spec.reports.build', { queueName: 'reports', priority: 3 })
  static async build(month: string): Promise<number> {
    return month.length * this.factor
  }

  static plain(): void {}
}

describe('@task on a static method', () => {
  it('leaves the method what it was', async () => {
    expect(await Reports.build('2026-11')).toBe(14)
  })

  it('gives a handle that can be enqueued and called, with the class as this', async () => {
    const build = taskOf(Reports.build)

    expect(build.toJSON()).toMatchObject({
      name: 'spec.reports.build',
      queueName: 'reports',
      priority: 3,
    })
    expect(tasks.get('spec.reports.build')).toBe(build)
    expect(await build.call('2026-11')).toBe(14)
    expect((await build.enqueue('2026-12')).args).toEqual(['2026-12'])
  })

  it('may be without options', () => {
    class Bare {
      @task('spec.bare')
      static run(): void {}
    }

    expect(taskOf(Bare.run).queueName).toBe('default')
  })

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    ['x', "'x'"],
    [[], 'an array'],
  ])('is not what %p makes of a name, which is refused at once', (second, shown) => {
    expect(() => task('spec.a', second as never)).toThrow(
      `Task "spec.a": expected a function, or an object of options for a static method, got ${shown}. Pass the function.`,
    )
    expect(() => task('spec.a', second as never)).toThrow(InvalidTaskError)
    expect(tasks.find('spec.a')).toBeUndefined()
  })

  it('refuses a list in the place of options', () => {
    expect(() => task('spec.a', () => 1, [] as never)).toThrow(
      'Task "spec.a": expected an object of options, got an array.',
    )
  })

  it('refuses a method of instances, in words', () => {
    const define = (): unknown => {
      class Wrong {
        @task('spec.wrong')
        run(): void {}
      }
      return Wrong
    }

    expect(define).toThrow(InvalidTaskError)
    expect(define).toThrow(
      'Task "spec.wrong" marks something other than a static method. Make the method static, or define the task with task(name, fn).',
    )
  })

  it('refuses a class', () => {
    const mark = task('spec.wrong') as unknown as (target: unknown) => void

    expect(() => mark(class {})).toThrow(
      'Task "spec.wrong" marks something other than a static method.',
    )
  })

  it('has no handle for a method that is not marked', () => {
    expect(() => taskOf(Reports.plain)).toThrow(
      'The method "plain" is not marked as a task. Put @task(name) on it.',
    )
  })

  it('checks its options and its name', () => {
    expect(() => task('spec.bad', { prioritty: 1 } as object)).not.toThrow()
    expect(() => applyNewer(task('spec.bad', { prioritty: 1 } as object), () => {})).toThrow(
      'unknown option "prioritty". Did you mean "priority"?',
    )
    expect(() => applyNewer(task('bad name'), () => {})).toThrow(
      "A task's name must be a dotted identifier",
    )
  })
})

describe('@task as the newer, standard kind of decorator', () => {
  it('works the same, and learns the class once it is there', async () => {
    class Mails {
      static readonly sender = 'me'
      static send(this: typeof Mails, to: string): string {
        return `${this.sender} to ${to}`
      }
    }
    applyNewer(task('spec.mails.send'), Mails.send, Mails)

    expect(await taskOf(Mails.send).call('you')).toBe('me to you')
  })

  it('refuses a method of instances', () => {
    expect(() => applyNewer(task('spec.wrong'), () => {}, undefined, false)).toThrow(
      'Task "spec.wrong" marks something other than a static method.',
    )
  })
})

/** What a compiler makes of a standard decorator on a static method: called with the method, initialised with the class. */
function applyNewer(
  decorator: TaskDecorator,
  method: (...given: never[]) => unknown,
  owner?: object,
  isStatic = true,
): void {
  const initializers: ((this: unknown) => void)[] = []
  const context = {
    kind: 'method',
    name: method.name,
    static: isStatic,
    private: false,
    addInitializer: (initialize: () => void) => void initializers.push(initialize),
  }
  const apply = decorator as unknown as (method: unknown, context: unknown) => unknown
  apply(method, context)
  for (const initialize of initializers) initialize.call(owner)
}
