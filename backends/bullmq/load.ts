import type * as bullmq from 'bullmq'
import type * as ioredis from 'ioredis'
import { InvalidSettingsError } from '../../lib/errors/errors'

export interface Libraries {
  readonly bullmq: typeof bullmq
  readonly ioredis: typeof ioredis
}

let loaded: Libraries | undefined

/**
 * The two packages that apps install beside this one, when the first of them is needed.
 *
 * @throws InvalidSettingsError if one of them is not there, or too old.
 */
export function libraries(alias: string): Libraries {
  return (loaded ??= {
    bullmq: load('bullmq', alias, () => require('bullmq') as typeof bullmq),
    ioredis: load('ioredis', alias, () => require('ioredis') as typeof ioredis),
  })
}

function load<Library>(name: string, alias: string, required: () => Library): Library {
  try {
    return required()
  } catch (cause) {
    throw new InvalidSettingsError(
      `TASKS.${alias}: the BullMQ backend needs the package "${name}", which could not be loaded (${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}).`,
      'Run: npm install bullmq@6 ioredis@5',
      { cause },
    )
  }
}
