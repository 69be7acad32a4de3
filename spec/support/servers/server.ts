import type { Place } from './place'
import { ThrowAway, type Recipe as AnyRecipe } from './throw-away'

/** What a client needs to reach one database of a throw-away server. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly database: string
}

/** How one kind of database server is installed, started, asked and ended. */
export interface Recipe extends AnyRecipe {
  /** The system account that runs it when the specs run as root, which these servers refuse. */
  readonly account: string
  install(place: Place): Promise<void>
  /** Runs one statement on the server's own database. */
  query(port: number, sql: string): Promise<unknown>
  create(database: string): string
  drop(database: string): string
}

/** The user that every throw-away server knows, and may do everything. */
export const user = { username: 'tasks', password: 'spec-secret' } as const

/** A throw-away database server, which gives empty databases. */
export class Server extends ThrowAway {
  static async start(recipe: Recipe, parent?: string): Promise<Server> {
    return await new Server(recipe, parent).start()
  }

  readonly #recipe: Recipe
  #made = 0

  private constructor(recipe: Recipe, parent?: string) {
    super(recipe, parent)
    this.#recipe = recipe
  }

  /** Makes a new empty database. */
  async fresh(): Promise<Address> {
    const database = `spec_${++this.#made}`
    await this.#recipe.query(this.port, this.#recipe.create(database))
    return { host: '127.0.0.1', port: this.port, ...user, database }
  }

  /** Drops a database that `fresh` made. */
  async drop(database: string): Promise<void> {
    await this.#recipe.query(this.port, this.#recipe.drop(database))
  }
}
