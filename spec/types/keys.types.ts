// Checked by the compiler alone, by each version that apps may have: spec/package/compilers.spec.ts.
import { task, type Task, type TaskContext } from 'typeorm-tasks'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

export async function keys(): Promise<void> {
  const index = task('types.keys.index', (id: number, deep: boolean) => `${id} ${deep}`, {
    debounce: { key: (id, deep) => `index-${id.toFixed()}-${deep ? 1 : 0}`, wait: 2_000 },
  })
  same<typeof index, Task<[id: number, deep: boolean], string>>(true)
  task('types.keys.sync', async (user: { id: number }) => user.id, {
    throttle: { key: ({ id }) => `sync-${id.toFixed()}`, every: 1_000 },
  })
  task('types.keys.context', (context: TaskContext, name: string) => context.attempt + name, {
    takesContext: true,
    uniqueKey: (name) => name.trim(),
  })
  const optional = task(
    'types.keys.optional',
    async (id: number, tone: string = 'warm') => tone + id,
    {
      uniqueKey: (id) => id.toFixed(),
    },
  )
  same<typeof optional, Task<[id: number, tone?: string | undefined], string>>(true)
  task('types.keys.none', () => 1, { uniqueKey: 'one', throttle: null, debounce: undefined })
  // @ts-expect-error -- an argument of another type
  task('types.keys.other', (id: number) => id, { uniqueKey: (id: string) => id })
  const result = await index
    .using({ debounce: null, uniqueKey: (id, deep) => `${id.toFixed()}${deep ? 1 : 0}` })
    .using({ uniqueKey: null, throttle: { key: 'x', every: 1 } })
    .enqueue(1, true)
  same<typeof result.isDuplicate, boolean>(true)
  // @ts-expect-error -- an argument of another type
  index.using({ throttle: { key: (id: string) => id, every: 1 } })
}
