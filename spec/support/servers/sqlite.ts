import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makePlace } from './place'

/** A temp folder of SQLite files, with the face of a server. */
export interface SqliteFolder {
  readonly version: string
  fresh(): Promise<{ database: string }>
  drop(database: string): Promise<void>
  stop(): Promise<void>
}

export async function startSqlite(): Promise<SqliteFolder> {
  const place = makePlace('sqlite')
  let made = 0
  return {
    version: await sqliteVersion(),
    fresh: async () => ({ database: join(place.folder, `spec_${++made}.sqlite`) }),
    drop: async (database) => {
      await Promise.all(
        ['', '-wal', '-shm', '-journal'].map((end) => rm(database + end, { force: true })),
      )
    },
    stop: async () => {
      await rm(place.folder, { recursive: true, force: true })
      place.leave()
    },
  }
}

async function sqliteVersion(): Promise<string> {
  const { default: Database } = await import('better-sqlite3')
  const database = new Database(':memory:')
  const version = database.prepare('SELECT sqlite_version()').pluck().get()
  database.close()
  return String(version)
}
