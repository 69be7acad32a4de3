import type { TableColumn } from '../../../../entities/columns'

/** How a family of databases says what the statements of a browser have in common. */
export interface BrowseWords {
  readonly now: string
  /** `run_after` of a row that waits for others. */
  readonly parked: string
  /** `run_after` of a row without a delay. */
  readonly noDelay: string
  /** A column in a list of columns of the table `t`, as raw rows have it. */
  readonly read: (column: TableColumn) => string
  readonly key: (id: string) => string
  /** Whether a text or JSON of a column has at most so many bytes, about, without its being read where the database can tell. */
  readonly isSmall: (column: string, bytes: number) => string
  /** JSON as text. */
  readonly asText: (column: string) => string
  readonly instantText: (column: string) => string
  /** An instant of a parameter that holds its text. */
  readonly instant: (parameter: string) => string
  /** A SELECT with an order and a limit, as a part of a UNION. */
  readonly part: (select: string) => string
  /** The index of rows that are READY has those that are RUNNING, too. */
  readonly indexesRunning: boolean
  /** Has the server end each statement of the connection that takes longer. Absent: whoever asks ends it. */
  readonly limit?: (ms: number, isMariaDb: boolean) => string
}
