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
    bullmq: load('bullmq', alias, () => require('bullmq') as typeof bullmq, isBullMQ),
    ioredis: load('ioredis', alias, () => require('ioredis') as typeof ioredis, isIoredis),
  })
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
      `TASKS.${alias}: the BullMQ backend needs the package "${name}", which could not be loaded (${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}).`,
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
