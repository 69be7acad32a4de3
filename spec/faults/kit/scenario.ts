import { describeEachDatabase, type SpecDatabase } from '../../support/databases'
import type { DatabaseName } from '../../support/servers/wanted'
import { Field, type Expected, type FieldWish } from './field'

/** What a scenario does; what it gives back says what is to be expected of the check that it ends with. */
export type Scenario = (field: Field) => Promise<Expected | void>

export interface ScenarioWish extends FieldWish {
  /** The databases that it makes sense on; all unless told. */
  readonly on?: readonly DatabaseName[]
}

type Adder = (title: string, work: Scenario, wish?: ScenarioWish) => void

/**
 * Runs the scenarios that `add` is called for on each database, some at a time, each in a field of its own, and each ends
 * in the check of its whole history.
 */
export function scenarios(body: (add: Adder, database: SpecDatabase) => void): void {
  describeEachDatabase((database) => {
    body((title, work, { on, ...wish } = {}) => {
      if (on !== undefined && !on.includes(database.name)) return it.skip(title, () => {})
      it.concurrent(title, () => play(database, work, wish), 90_000)
    }, database)
  })
}

async function play(database: SpecDatabase, work: Scenario, wish: FieldWish): Promise<void> {
  const field = await Field.open(database.name, await database.fresh(), wish)
  try {
    await field.verify((await work(field)) ?? {})
  } finally {
    await field.close()
  }
}
