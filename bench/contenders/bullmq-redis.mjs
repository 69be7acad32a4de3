import { openBullMq } from './bullmq.mjs'

/** `pipelines`: all commands of one turn of the event loop are one round trip, as ioredis can do it. BullMQ does not advise it. */
export async function open({ host, port }, { pipelines = false, ...settings }) {
  const enableAutoPipelining = Boolean(pipelines)
  return openBullMq({ host, port, maxRetriesPerRequest: null, enableAutoPipelining }, settings)
}
