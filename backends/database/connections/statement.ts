/** A statement ready for a driver. */
export interface Statement {
  readonly sql: string
  readonly parameters: unknown[]
}

/** A list that travels as one parameter, where the driver has arrays. */
export interface Column {
  readonly column: readonly (string | number | null)[]
}

/** Values of the `:named` parameters of a statement. */
export type Values = Readonly<Record<string, string | number | null | readonly string[] | Column>>

export interface Answer {
  readonly records: Record<string, unknown>[]
  readonly affected: number
}
