import { createPostgresBackend } from 'bullmq'
import { openBullMq } from './bullmq.mjs'

export async function open({ host, port, user, password, database }, settings) {
  return openBullMq(
    { host, port, user, password, database, max: 20, migrate: true },
    settings,
    createPostgresBackend,
  )
}
