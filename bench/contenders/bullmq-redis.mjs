import { openBullMq } from './bullmq.mjs'

export async function open({ host, port }, settings) {
  return openBullMq({ host, port, maxRetriesPerRequest: null }, settings)
}
