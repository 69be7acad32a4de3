import type { DatabaseBackend } from '../../backends/database/backend'
import type { QueueState } from '../../lib/browser'
import { NotSupportedError } from '../../lib/errors/errors'

export interface QueueStates {
  readonly queues: readonly QueueState[]
  /** Why queues cannot be paused; null: they can. */
  readonly whyNoPauses: string | null
}

/** The queues of the settings, those that are paused or served, and those with tasks that are not finished. */
export async function queueStates(backend: DatabaseBackend): Promise<QueueStates> {
  const browser = await backend.openBrowser()
  try {
    return { queues: await browser.queues(), whyNoPauses: await whyNoPausesOf(backend) }
  } finally {
    await browser.close()
  }
}

async function whyNoPausesOf(backend: DatabaseBackend): Promise<string | null> {
  try {
    await backend.pausedQueues()
    return null
  } catch (error) {
    if (error instanceof NotSupportedError) return error.message
    throw error
  }
}
