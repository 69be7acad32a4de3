import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { DataSourceOptions } from 'typeorm'
import type { FreshOptions, SpecDatabase } from '../../support/databases'
import { startServer, type ServerName } from '../../support/servers/start'
import type { DatabaseName } from '../../support/servers/wanted'
import { until } from './until'

/** The lock that stands for a restart where there is no server, in milliseconds. */
const LOCK = 2_000

/** A database that a long run has for itself, and may take away. */
export interface Ground {
  readonly name: DatabaseName
  readonly options: FreshOptions
  /** What `outage` does here, in words. */
  readonly outageIs: string
  /** Takes the database away for a moment: its server is killed and comes back; SQLite has none, there nobody else can write. */
  outage(down?: number): Promise<void>
  close(): Promise<void>
}

export async function groundOf({ name, fresh }: SpecDatabase): Promise<Ground> {
  return name === 'sqlite' ? lockable(await fresh()) : served(name)
}

async function served(name: ServerName): Promise<Ground> {
  const server = await startServer(name)
  return {
    name,
    options: { type: name, ...(await server.fresh()) } as DataSourceOptions as FreshOptions,
    outageIs: `kill -9 and restart of ${name}`,
    outage: async (down = 0) => {
      await server.kill()
      await sleep(down)
      await server.restart()
    },
    close: () => server.stop(),
  }
}

function lockable(options: FreshOptions): Ground {
  return {
    name: 'sqlite',
    options,
    outageIs: `exclusive lock of ${LOCK / 1000} s, SQLite having no server`,
    outage: async (down = LOCK) => {
      const file = new Sqlite(String(options.database), { timeout: 0 })
      // Somebody who stands still may hold the file; waiting in the driver would stop all else here.
      await until(
        () => isTaken(file),
        60_000,
        () => 'the file to be free',
      )
      await sleep(down)
      file.exec('ROLLBACK')
      file.close()
    },
    close: async () => {},
  }
}

function isTaken(file: Sqlite.Database): boolean {
  try {
    file.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (!String(error).includes('locked')) throw error
    return false
  }
}
