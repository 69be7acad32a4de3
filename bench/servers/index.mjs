import { startMariaDb } from './mariadb.mjs'
import { startMySql } from './mysql.mjs'
import { startPostgres } from './postgres.mjs'
import { startRedis } from './redis.mjs'
import { startSqlite } from './sqlite.mjs'

const starters = {
  postgres: startPostgres,
  mariadb: startMariaDb,
  mysql: startMySql,
  sqlite: startSqlite,
  redis: startRedis,
}

/** Servers, each started when it is first needed. */
export class Servers {
  #started = new Map()

  /** @throws Error saying what to install, if the server is missing. */
  get(kind) {
    if (!this.#started.has(kind)) this.#started.set(kind, starters[kind]())
    return this.#started.get(kind)
  }

  /** Runs `work` with the address of a new database, and drops it. */
  async withDatabase(kind, work) {
    const server = await this.get(kind)
    try {
      const address = await server.fresh()
      return await work(address, server).finally(() => server.drop(address))
    } catch (error) {
      if (server.isAlive()) throw error
      // The next job is to find one that works.
      this.#started.delete(kind)
      throw new Error(`${server.name} has ended by itself: ${server.lastWords()}`, { cause: error })
    }
  }

  async versions() {
    const found = await Promise.allSettled(this.#started.values())
    return found
      .filter(({ status }) => status === 'fulfilled')
      .map(({ value }) => `${value.name} ${value.version}`)
  }

  async stop() {
    const found = await Promise.allSettled(this.#started.values())
    await Promise.all(found.map(({ value }) => value?.stop()))
  }
}
