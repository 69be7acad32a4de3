import type * as listBrowser from '../../dashboard/browsing/list-browser'
import type { TaskBackend } from '../../lib/backend'
import type { Browser, QueueState } from '../../lib/browser'
import { NotSupportedError } from '../../lib/errors/errors'

export interface QueueStates {
  readonly queues: readonly QueueState[]
  /** Why queues cannot be paused; null: they can. */
  readonly whyNoPauses: string | null
}

/** The queues of the settings, those that are paused or served, and those with tasks that are not finished. */
export async function queueStates(backend: TaskBackend): Promise<QueueStates> {
  const browser = await browserOf(backend)
  try {
    return { queues: await browser.queues(), whyNoPauses: await whyNoPausesOf(backend) }
  } finally {
    await browser.close()
  }
}

/** One that makes do with lists, where the backend has none of its own. */
async function browserOf(backend: TaskBackend): Promise<Browser> {
  try {
    return await backend.openBrowser()
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error
    const { ListBrowser } = require('../../dashboard/browsing/list-browser') as typeof listBrowser
    return new ListBrowser(backend)
  }
}

async function whyNoPausesOf(backend: TaskBackend): Promise<string | null> {
  try {
    await backend.pausedQueues()
    return null
  } catch (error) {
    if (error instanceof NotSupportedError) return error.message
    throw error
  }
}
