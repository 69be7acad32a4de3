// Checked by the compiler alone: options of the Sharded backend, and what it tells.
import { configureTasks, type TaskResult } from 'typeorm-tasks'
import {
  ShardedBackend,
  type ShardedOptions,
  type ShardedOrder,
  ShardError,
  shardOf,
} from 'typeorm-tasks/backends/sharded'

const path = 'typeorm-tasks/backends/sharded#ShardedBackend'
const over = ['db1', 'db2'] as const

// The order has its type where the options have theirs.
configureTasks({
  tasks: {
    BACKEND: path,
    OPTIONS: { by: ({ args }) => String(args[0]), over } satisfies ShardedOptions,
  },
  others: { BACKEND: ShardedBackend, OPTIONS: { by: ({ name }: ShardedOrder) => name, over } },
})
configureTasks({
  tasks: {
    BACKEND: path,
    // @ts-expect-error no such option
    OPTIONS: { by: ({ name }: ShardedOrder) => name, over, seed: 1 },
  },
})

export const promised: ShardedOptions = {
  // @ts-expect-error a key is given at once
  by: async ({ name }) => name,
  over,
}

export const alias: string = shardOf(7, over)
// @ts-expect-error a key is a text or a number
shardOf(7n, over)

export function againOf(error: unknown): number[] {
  if (!(error instanceof ShardError)) throw error
  const results: readonly (TaskResult<unknown> | null)[] = error.enqueued
  return results.flatMap((result, i) => (result ? [] : [i]))
}
