import { DataSource, type DataSourceOptions } from 'typeorm'
import { ask, deskCard } from './servers/ask'
import type { Address } from './servers/server'
import type { DatabaseName } from './servers/wanted'

type OptionsOf<Type> = Extract<DataSourceOptions, { type: Type }>

/** The options of a database that is there and empty. */
export type FreshOptions =
  | OptionsOf<'better-sqlite3'>
  | OptionsOf<'postgres'>
  | (OptionsOf<'mariadb' | 'mysql'> & { type: 'mariadb' | 'mysql' })

/** What to add to the options of a fresh database. */
export type Extra = Partial<
  Pick<
    DataSourceOptions,
    'entities' | 'migrations' | 'synchronize' | 'subscribers' | 'logging' | 'namingStrategy'
  >
>

export interface FreshWish {
  /** MariaDB may be spoken to under either of TypeORM's two names; 'mariadb' unless told. */
  readonly type?: 'mariadb' | 'mysql'
}

/** One kind of database that the specs run on. */
export interface SpecDatabase<Name extends DatabaseName = DatabaseName> {
  readonly name: Name
  /** Makes a new empty database; it is dropped after the spec file. */
  fresh(wish?: FreshWish): Promise<FreshOptions>
  /** Makes a new empty database and an open DataSource on it; both are gone after the spec file. */
  connect(extra?: Extra, wish?: FreshWish): Promise<DataSource>
}

/** MySQL and MariaDB, which one dialect serves. */
export function isMySqlFamily(name: DatabaseName): name is 'mariadb' | 'mysql' {
  return name === 'mariadb' || name === 'mysql'
}

/** Whether ids are 32 hex digits without dashes here, there being no type for them. */
export function hasHexIds(name: DatabaseName): boolean {
  return name === 'sqlite' || name === 'mysql'
}

/** The type of TypeORM for each way to speak to this database; MariaDB has two. */
export function typesOf(name: DatabaseName): readonly ('mariadb' | 'mysql' | undefined)[] {
  return name === 'mariadb' ? ['mariadb', 'mysql'] : [undefined]
}

/**
 * Runs the specs in `body` once for each database, or for those of `only`, named in the title. Those of a missing database are skipped.
 * For a database that is not in `only` a skipped test stands: jest fails a file that has no test at all.
 */
export function describeEachDatabase<Name extends DatabaseName = DatabaseName>(
  body: (database: SpecDatabase<Name>) => void,
  { only }: { only?: readonly Name[] } = {},
): void {
  const { names, missing } = deskCard()
  for (const name of names) {
    if (!isIn(name, only)) {
      it.skip(`not on ${name}`, () => {})
      continue
    }
    const run = missing[name] === undefined ? describe : describe.skip
    run(`on ${name}`, () => body(specDatabase(name)))
  }
}

function isIn<Name extends DatabaseName>(
  name: DatabaseName,
  only: readonly Name[] | undefined,
): name is Name {
  return only === undefined || only.some((each) => each === name)
}

/** The databases of this run: those that DB asks for and that this machine has. */
export function databases(): SpecDatabase[] {
  const { names, missing } = deskCard()
  return names.filter((name) => missing[name] === undefined).map((name) => specDatabase(name))
}

function specDatabase<Name extends DatabaseName>(name: Name): SpecDatabase<Name> {
  const fresh = async (wish: FreshWish = {}): Promise<FreshOptions> => {
    const address = (await ask(`/fresh/${name}`)) as Address
    made.push({ name, database: address.database })
    return optionsFor(name, address, wish)
  }
  return {
    name,
    fresh,
    connect: async (extra = {}, wish = {}) => {
      const dataSource = new DataSource({ ...(await fresh(wish)), ...extra })
      opened.push(dataSource)
      return await dataSource.initialize()
    },
  }
}

function optionsFor(name: DatabaseName, address: Address, wish: FreshWish): FreshOptions {
  if (name === 'sqlite')
    return { type: 'better-sqlite3', database: address.database, enableWAL: true }
  if (name === 'postgres') return { type: 'postgres', ...address }
  return { type: name === 'mysql' ? 'mysql' : (wish.type ?? 'mariadb'), ...address }
}

const opened: DataSource[] = []
const made: { name: DatabaseName; database: string }[] = []

// The module is loaded once for each spec file, so this is the end of that file.
afterAll(async () => {
  await Promise.all(
    opened
      .splice(0)
      .filter((dataSource) => dataSource.isInitialized)
      .map((dataSource) => dataSource.destroy()),
  )
  // A database that the spec still uses stays until its server is removed.
  await Promise.allSettled(
    made.splice(0).map(({ name, database }) => ask(`/drop/${name}`, database)),
  )
})
