import type { ChainableCommander } from 'ioredis'
import type { Client } from './clients/client-of-app'

type Argument = string | number | Buffer

const all: Script<unknown>[] = []

/**
 * Makes every script known to a client, before anything is sent: ioredis gathers the commands of one turn of the event loop in a
 * pipeline, which has only the scripts that were known when it began.
 */
export function defineScripts(client: Client): void {
  for (const script of all) script.define(client)
}

/**
 * A script of ours that Redis runs as one step. `body` is Lua; its keys are `KEYS`, what else it takes `ARGV`. All keys of a
 * backend are on one node, so a script may also make names of keys from a prefix.
 */
export class Script<Reply> {
  readonly #name: string
  readonly #body: string

  constructor(name: string, body: string) {
    this.#name = `typeormTasks:${name}`
    this.#body = body
    all.push(this)
  }

  define(client: Client): void {
    if (this.#name in client) return
    client.defineCommand(this.#name, { lua: this.#body })
  }

  run(client: Client, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    return this.#call(client, keys, args) as Promise<Reply>
  }

  /** As a step of a transaction or a pipeline, of which the reply comes with the others. `client`: that which has begun it. */
  add(
    client: Client,
    steps: ChainableCommander,
    keys: readonly string[],
    args: readonly Argument[],
  ): void {
    this.define(client)
    this.#call(steps, keys, args)
  }

  #call(
    on: Client | ChainableCommander,
    keys: readonly string[],
    args: readonly Argument[],
  ): unknown {
    if ('defineCommand' in on) this.define(on as Client)
    const commands = on as unknown as Record<string, (...args: unknown[]) => unknown>
    return commands[this.#name]?.(keys.length, ...keys, ...args)
  }
}
