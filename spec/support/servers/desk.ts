import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http'
import { text } from 'node:stream/consumers'
import { startMariaDb } from './mariadb'
import { openMySql } from './mysql'
import { startPostgres } from './postgres'
import { startSqlite } from './sqlite'
import { databaseNames, type DatabaseName, type Wanted } from './wanted'

/** What the desk asks of a server. */
interface Served {
  readonly version: string
  fresh(): Promise<object>
  drop(database: string): Promise<void>
  stop(): Promise<void>
}

const starters: Record<DatabaseName, () => Promise<Served>> = {
  sqlite: startSqlite,
  postgres: startPostgres,
  mariadb: startMariaDb,
  mysql: openMySql,
}

/** What a worker process of jest must know to ask the desk. */
export interface DeskCard extends Wanted {
  readonly port: number
}

/**
 * Hands databases to the specs. It lives in jest's own process and starts a server when the first spec asks for it,
 * so one server serves the whole run, and a run that needs none pays for none.
 */
export class Desk {
  readonly #servers = new Map<DatabaseName, Promise<Served>>()
  readonly #made = new Map<DatabaseName, number>()
  readonly #http: HttpServer = createServer(
    (request, response) => void this.#serve(request, response),
  )

  async open(): Promise<number> {
    this.#http.listen(0, '127.0.0.1')
    await once(this.#http, 'listening')
    this.#http.unref()
    const address = this.#http.address()
    return address === null || typeof address === 'string' ? 0 : address.port
  }

  async close(): Promise<void> {
    this.#http.close()
    this.#http.closeAllConnections()
    const servers = await Promise.allSettled(this.#servers.values())
    await Promise.all(
      servers
        .filter((server) => server.status === 'fulfilled')
        .map((server) => server.value.stop()),
    )
  }

  /** One line for each server that was used: its name, version and how many databases it gave. */
  async ran(): Promise<string[]> {
    const lines = databaseNames
      .filter((name) => this.#servers.has(name))
      .map(async (name) => {
        const version = await this.#server(name).then(
          (server) => server.version,
          () => 'did not start',
        )
        return `${name} ${version} (${this.#made.get(name) ?? 0} databases)`
      })
    return await Promise.all(lines)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      response.end(JSON.stringify(await this.#answer(request.url ?? '', await text(request))))
    } catch (error) {
      response.statusCode = 500
      response.end(error instanceof Error ? error.message : String(error))
    }
  }

  async #answer(url: string, body: string): Promise<object> {
    const [, wish, name] = url.split('/')
    const database = databaseNames.find((known) => known === name)
    if (database === undefined) throw new Error(`The desk knows no database "${name}".`)
    const server = await this.#server(database)
    if (wish === 'drop') {
      await server.drop(body)
      return {}
    }
    this.#made.set(database, (this.#made.get(database) ?? 0) + 1)
    return await server.fresh()
  }

  #server(name: DatabaseName): Promise<Served> {
    const running = this.#servers.get(name) ?? starters[name]()
    this.#servers.set(name, running)
    return running
  }
}
