import { runUntilEmpty } from '#start-worker'
import { MemoryBackend } from '#memory/backend'
import { MemoryTable } from '#memory/table'
import { backendContract } from './backend.contract'
import { MemoryRows } from './memory-rows'
import { storeContract } from './store.contract'

describe('the store of the Memory backend', () =>
  storeContract(
    async () => {
      const table = new MemoryTable()
      return {
        rows: new MemoryRows(table),
        backend: (alias, options) =>
          new MemoryBackend(alias, { queues: [], options: { table, ...options } }),
      }
    },
    {
      ordersAll: true,
      skipsLocked: false,
      sharesPlace: true,
      takesOddIds: true,
      keepsAnyText: true,
      keepsAnyInstant: true,
      keepsAnyPriority: true,
    },
  ))

describe('MemoryBackend', () =>
  backendContract({
    BACKEND: MemoryBackend,
    options: () => ({}),
    runs: 'later',
    work: () => runUntilEmpty({ queues: '*' }),
  }))
