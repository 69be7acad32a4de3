import type { QueryRunner } from 'typeorm'

/** Gives the table's path with its schema, or its database where there are no schemas, once the client is known to reach it. */
export type LentPath = (path: string) => Promise<string>

/**
 * Of runners on a client of other code, which may reach another schema or database later than it did at first (`SET
 * search_path`, `USE`): a path that names them keeps leading to the same table.
 */
const paths = new WeakMap<QueryRunner, LentPath>()

export function setLentPath(runner: QueryRunner, pathOn: LentPath): void {
  paths.set(runner, pathOn)
}

export function lentPathOf(runner: QueryRunner | undefined): LentPath | undefined {
  return runner && paths.get(runner)
}
