import { EventEmitter } from 'node:events'
import { libraries } from './load'

/** A script of BullMQ: its text, and how many of its arguments are keys. */
export interface BullScript {
  readonly lua: string
  readonly numberOfKeys: number
}

let known: ReadonlyMap<string, BullScript> | undefined

/** The scripts of the BullMQ that is installed, by their names, which end with its version. It tells them to whatever it takes for a client. */
export function bullScripts(alias: string): ReadonlyMap<string, BullScript> {
  return (known ??= read(alias))
}

function read(alias: string): ReadonlyMap<string, BullScript> {
  const scripts = new Map<string, BullScript>()
  const nothing = (): void => {}
  const listener = Object.assign(new EventEmitter(), {
    // It has ended, so that nothing is asked of it.
    status: 'end',
    options: {},
    isCluster: false,
    connect: nothing,
    disconnect: nothing,
    duplicate: nothing,
    defineCommand: (name: string, script: BullScript) => void scripts.set(name, script),
  })
  const { RedisConnection } = libraries(alias).bullmq
  const connection = new RedisConnection(listener as never, {
    shared: true,
    blocking: false,
    skipVersionCheck: true,
    skipWaitingForReady: true,
  })
  connection.on('error', nothing)
  return scripts
}
