import { IsOptional } from '../../lib/settings/class-validator'
import { Is } from '../../lib/settings/validation'
import { KeepingOptions } from '../lease-options'
import type { DataSourceOption } from './place'

/** `TASKS.….OPTIONS` of the Database backend. */
export class DatabaseOptions extends KeepingOptions {
  /** A DataSource, or a function giving one; absent: the one that the command line's file exports. */
  @IsOptional()
  dataSource?: DataSourceOption | undefined

  /** Gives the id of a new row, a UUID of any version. Default: version 7, which sorts by time. */
  @IsOptional()
  @Is('a function that gives a UUID', (value) => typeof value === 'function')
  idFunction?: (() => string) | undefined

  /**
   * Enqueues and cancels wake workers of other processes: on PostgreSQL by NOTIFY, on SQLite, MariaDB and MySQL by files on
   * the same host. Default true. PostgreSQL cannot PREPARE a transaction that has a NOTIFY: with false, workers find new rows
   * at their interval, and cancels at their next renewal.
   */
  @IsOptional()
  @Is('true or false', (value) => typeof value === 'boolean')
  notify?: boolean | undefined
}
