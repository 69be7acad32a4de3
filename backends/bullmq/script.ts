import type { ChainableCommander } from 'ioredis'
import { InvalidSettingsError } from '../../lib/errors/errors'
import { bullScripts } from './bull-scripts'
import type { Client } from './clients/client-of-app'

type Argument = string | number

const all: Script<unknown>[] = []

/**
 * Makes every script known to a client, before anything is sent: ioredis gathers the commands of one turn of the event loop in a
 * pipeline, which has only the scripts that were known when it began.
 */
export function defineScripts(client: Client): void {
  for (const script of all) script.define(client)
}

/**
 * A script of BullMQ as an expression of Lua: a function with the parameters `KEYS` and `ARGV`, which can be called several times in
 * one step.
 */
function functionOf(name: string): string {
  // There is a client, so BullMQ is loaded, whatever the alias.
  for (const [versioned, { lua }] of bullScripts('default'))
    if (versioned.startsWith(`${name}:`)) return asFunction(lua)
  throw new InvalidSettingsError(
    `BullMQ has no script "${name}": its version is not one that this library knows.`,
    'Run: npm install bullmq@6 ioredis@5',
  )
}

/**
 * What BullMQ includes in a script are functions at its outermost level, of what they are given alone. Made once, and not with each
 * call, they cost next to nothing; the longest script has forty.
 */
const INCLUDED = /^local (?:rcall = redis\.call$|function \w+\(|\w+ = function ?\()/

function asFunction(lua: string): string {
  const included: string[] = []
  const own: string[] = []
  let isIncluded = false
  for (const line of lua.split('\n')) {
    const begins = INCLUDED.test(line)
    if (begins || isIncluded) included.push(line)
    else own.push(line)
    isIncluded = (begins && !line.endsWith('redis.call')) || (isIncluded && line !== 'end')
  }
  return `(function()
${included.join('\n')}
return function(KEYS, ARGV)
${own.join('\n')}
end
end)()`
}

/** Lua: BullMQ's scripts take what is packed as it is, so that a script of ours need not pack it, which takes time. */
export const UNPACKED = `
local cmsgpack = { unpack = function(value) return value end }`

/** Lua with scripts of BullMQ in it: `bullMQ` gives the function that one is, by its name. */
export type BodyWith = (bullMQ: (name: string) => string) => string

/**
 * A script of ours that Redis runs as one step. `body` is Lua; its keys are `KEYS`, what else it takes `ARGV`. All keys of a
 * backend are on one node, so a script may also make names of keys from a prefix.
 */
export class Script<Reply> {
  readonly #name: string
  readonly #body: string | BodyWith

  constructor(name: string, body: string | BodyWith) {
    this.#name = `typeormTasks:${name}`
    this.#body = body
    all.push(this)
  }

  define(client: Client): void {
    if (this.#name in client) return
    const body = this.#body
    const lua = typeof body === 'string' ? body : body(functionOf)
    client.defineCommand(this.#name, { lua })
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
