import { IsOptional } from '../../lib/settings/class-validator'
import { Is } from '../../lib/settings/validation'
import { KEEP_RESULTS, type KeepResults } from '../../lib/retention'
import type { DataSourceOption } from '../database/place'
import { LeaseOptions } from '../lease-options'

const DAY_MS = 24 * 60 * 60_000
const PREFIX =
  'a text without spaces and colons, e.g. "shop", or "{shop}" on a Redis Cluster (a colon is put behind it)'

/** How long results stay that nothing else is said of: a Redis holds them in memory. */
export const KEPT_MS = DAY_MS

/** Nodes of a Redis Cluster, and what ioredis takes for its connections to them. */
export interface ClusterConnection {
  readonly nodes: readonly (string | { readonly host: string; readonly port: number })[]
  readonly options?: object | undefined
}

/**
 * `redis://user:password@host:6379/0`, `rediss://…` with TLS, the path of a socket, the options of ioredis (with `sentinels` and
 * `name`, too), a cluster, or a client of ioredis that the app has made, and closes. Of that one, times and retries are the
 * app's: with `maxRetriesPerRequest: null` an enqueue waits until Redis is back.
 */
export type Connection = string | object | { readonly cluster: ClusterConnection }

/** `TASKS.….OPTIONS` of the BullMQ backend. */
export class BullMQOptions extends LeaseOptions {
  /** Where Redis is. Default: `redis://127.0.0.1:6379`. */
  @IsOptional()
  @Is(
    "a URL such as 'redis://127.0.0.1:6379', an object of ioredis' options, { cluster: { nodes: [...] } }, or a client of ioredis",
    isConnection,
  )
  connection?: Connection | undefined

  /** What the keys of this backend begin with; another backend has another one. Default: `tasks-` and the alias. */
  @IsOptional()
  @Is(PREFIX, (value) => typeof value === 'string' && /^[^\s:]+$/.test(value))
  prefix?: string | undefined

  /**
   * Milliseconds since it finished that a result is kept, or `{ successful, failed }`; then a worker deletes it. Tasks with
   * `keepResults` have their own. Default: a day, since Redis holds results in memory. null: workers delete none.
   */
  @IsOptional()
  @Is(KEEP_RESULTS.expected, (value) => value === null || KEEP_RESULTS.isSound(value))
  keepResults?: KeepResults | null | undefined

  /** The app's database, where `enqueue({ manager })` writes a row that the relay takes to Redis. Absent: no relay. */
  @IsOptional()
  dataSource?: DataSourceOption | undefined
}

/** What is in it is judged by `wayOf`. */
function isConnection(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && !Array.isArray(value))
  )
}
