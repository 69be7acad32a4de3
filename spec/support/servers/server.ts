import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port'
import { makePlace, type Place } from './place'

/** What a client needs to reach one database of a throw-away server. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly database: string
}

/** How one kind of database server is installed, started, asked and ended. */
export interface Recipe {
  readonly name: string
  /** The system account that runs it when the specs run as root, which these servers refuse. */
  readonly account: string
  /** Ends it at once, leaving the data as a crash would. */
  readonly crash: NodeJS.Signals
  /** Ends it cleanly without waiting for its clients. */
  readonly quit: NodeJS.Signals
  install(place: Place): Promise<void>
  command(place: Place, port: number): readonly [string, ...string[]]
  /** Runs one statement on the server's own database. */
  query(port: number, sql: string): Promise<unknown>
  /** The server's version; rejects while it is starting. */
  version(port: number): Promise<string>
  create(database: string): string
  drop(database: string): string
}

/** The user that every throw-away server knows, and may do everything. */
export const user = { username: 'tasks', password: 'spec-secret' } as const

const patience = 60_000

/** A database server that lives in a temp folder on a loopback port of its own, and leaves nothing behind. */
export class Server {
  static async start(recipe: Recipe, parent?: string): Promise<Server> {
    const place = makePlace(recipe.name, recipe.account, recipe.crash, parent)
    const server = new Server(recipe, place)
    try {
      await recipe.install(place)
      await server.#launch()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  readonly name: string
  port = 0
  version = ''
  readonly #recipe: Recipe
  readonly #place: Place
  #process: ChildProcess | undefined
  #made = 0

  private constructor(recipe: Recipe, place: Place) {
    this.name = recipe.name
    this.#recipe = recipe
    this.#place = place
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Where its data is, until it is stopped. */
  get folder(): string {
    return this.#place.folder
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

  /** Ends the server for good and removes its data. */
  async stop(): Promise<void> {
    await this.#end(this.#recipe.crash)
    await rm(this.#place.folder, { recursive: true, force: true, maxRetries: 5 })
    this.#place.leave()
  }

  /** Ends the server as a crash would: no goodbye to its clients, and recovery at the next start. */
  async kill(): Promise<void> {
    await this.#end(this.#recipe.crash)
  }

  /** Starts the server again on its port and data, after `kill` or from running. */
  async restart(): Promise<void> {
    await this.#end(this.#recipe.quit)
    await this.#run(this.port)
  }

  // A free port can be taken by somebody else before the server listens on it.
  async #launch(attempts = 3): Promise<void> {
    this.port = await freePort()
    try {
      await this.#run(this.port)
    } catch (error) {
      if (attempts <= 1) throw error
      await this.#end(this.#recipe.crash)
      await this.#launch(attempts - 1)
    }
  }

  async #run(port: number): Promise<void> {
    const [file, ...args] = this.#recipe.command(this.#place, port)
    const log = openSync(this.#log, 'a')
    // A process group of its own: Ctrl-C in the terminal must reach jest alone, which then ends the server.
    const child = spawn(file, args, {
      ...this.#place.as,
      cwd: this.#place.folder,
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    await once(child, 'spawn')
    this.#process = child
    writeFileSync(this.#place.pidFile, String(child.pid))
    child.unref()
    await this.#answering(child, port)
  }

  async #answering(child: ChildProcess, port: number): Promise<void> {
    const until = Date.now() + patience
    while (Date.now() < until) {
      if (!isAlive(child))
        throw new Error(`${this.name} ended while it was starting:\n${this.#lastWords()}`)
      try {
        this.version = await this.#recipe.version(port)
        return
      } catch {
        await sleep(50)
      }
    }
    throw new Error(
      `${this.name} did not answer on port ${port} within ${patience / 1000} s:\n${this.#lastWords()}`,
    )
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || !isAlive(child)) return
    child.ref()
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  get #log(): string {
    return join(this.#place.folder, 'log')
  }

  #lastWords(): string {
    return readFileSync(this.#log, 'utf8').split('\n').slice(-20).join('\n')
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
