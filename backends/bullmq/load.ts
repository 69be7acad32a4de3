import type * as bullmq from 'bullmq'
import type * as ioredis from 'ioredis'
import { InvalidSettingsError } from '../../lib/errors/errors'

export interface Libraries {
  readonly bullmq: typeof bullmq
  readonly ioredis: typeof ioredis
}

const INSTALL = 'Run: npm install bullmq@6 ioredis@5'

let loaded: Libraries | undefined

/**
 * The two packages that apps install beside this one, when the first of them is needed.
 *
 * @throws InvalidSettingsError if one of them is not there, or too old.
 */
export function libraries(alias: string): Libraries {
  return (loaded ??= {
    bullmq: load('bullmq', alias, bullmqOfApp, isBullMQ),
    ioredis: load('ioredis', alias, ioredisOfApp, isIoredis),
  })
}

function firstLineOf(error: unknown): string {
  // What follows is the stack of all that led to it.
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? ''
}

// Bundlers let a package be missing only where its `require` is within a `try`: most apps have neither.
function bullmqOfApp(): typeof bullmq {
  try {
    return require('bullmq') as typeof bullmq
  } catch (cause) {
    throw new Error(firstLineOf(cause), { cause })
  }
}

function ioredisOfApp(): typeof ioredis {
  try {
    return require('ioredis') as typeof ioredis
  } catch (cause) {
    throw new Error(firstLineOf(cause), { cause })
  }
}

/** By what is used of it: a version is no export of the package. */
export function isBullMQ({
  RedisQueueBackend,
  QueueKeys,
  RedisConnection,
}: Partial<typeof bullmq>): boolean {
  if (!RedisQueueBackend || !QueueKeys || !RedisConnection) return false
  const { prototype } = RedisQueueBackend
  return 'addJobToTransaction' in prototype && 'moveToFinished' in prototype
}

/** Version 4 has no `Redis` among its exports. */
export function isIoredis({ Redis, Cluster }: Partial<typeof ioredis>): boolean {
  return typeof Redis === 'function' && typeof Cluster === 'function'
}

/** @throws InvalidSettingsError if `required` throws, or gives a library that `isSound` does not know. */
export function load<Library>(
  name: string,
  alias: string,
  required: () => Library,
  isSound: (library: Library) => boolean,
): Library {
  let library: Library
  try {
    library = required()
  } catch (cause) {
    throw new InvalidSettingsError(
      `TASKS.${alias}: the BullMQ backend needs the package "${name}", which could not be loaded (${firstLineOf(cause)}).`,
      INSTALL,
      { cause },
    )
  }
  if (isSound(library)) return library
  throw new InvalidSettingsError(
    `TASKS.${alias}: the package "${name}" that is installed is too old for the BullMQ backend.`,
    INSTALL,
  )
}
