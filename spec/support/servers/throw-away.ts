import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port'
import { makePlace, type Place } from './place'

/** How one kind of server is installed, started, asked and ended. */
export interface Recipe {
  readonly name: string
  /** The system account that runs it when the specs run as root, for servers that refuse root. */
  readonly account?: string
  /** Ends it at once, leaving the data as a crash would. */
  readonly crash: NodeJS.Signals
  /** Ends it cleanly without waiting for its clients. */
  readonly quit: NodeJS.Signals
  install?(place: Place): Promise<void>
  command(place: Place, port: number): readonly [string, ...string[]]
  /** The server's version; rejects while it is starting. */
  version(port: number): Promise<string>
}

const patience = 60_000

/** A server that lives in a temp folder on a loopback port of its own, and leaves nothing behind. */
export class ThrowAway {
  readonly name: string
  port = 0
  version = ''
  readonly #recipe: Recipe
  readonly #place: Place
  #process: ChildProcess | undefined

  constructor(recipe: Recipe, parent?: string) {
    this.name = recipe.name
    this.#recipe = recipe
    this.#place = makePlace(recipe.name, recipe.account, recipe.crash, parent)
  }

  /** Installs and starts it; call it once. What has failed to start is removed. */
  async start(): Promise<this> {
    try {
      await this.#recipe.install?.(this.#place)
      await this.#launch()
    } catch (error) {
      await this.stop()
      throw error
    }
    return this
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Where its data is, until it is stopped. */
  get folder(): string {
    return this.#place.folder
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
