import type { DBTaskResult } from '#entities'
import type { FlowRows } from '../../backends/database/dialects/flow-verbs'

/** What the default backend keeps, looked at and changed past it. What happens here nobody of this library is told. */
export interface Ground {
  /** All of them, by their ids. */
  all(): Promise<DBTaskResult[]>
  clear(): Promise<void>
  succeed(id: string, returnValue: unknown, finishedAt?: Date): Promise<void>
  fail(id: string): Promise<void>
  /** Has it be of another task. */
  rename(id: string, taskName: string): Promise<void>
  /** The verbs of flows, and whether ids have no hyphens there. */
  verbs(): Promise<{ readonly rows: FlowRows; readonly hexIds: boolean }>
}
