import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bench, nodeProgram } from '../lib/prepare.mjs'
import { makePlace } from './place.mjs'

/** A temp folder of files, with the face of a server. */
export async function startSqlite() {
  const place = makePlace('sqlite')
  let made = 0
  return {
    name: 'SQLite',
    version: versionOf(),
    fresh: async () => ({
      type: 'better-sqlite3',
      database: join(place.folder, `bench_${++made}.sqlite`),
    }),
    drop: ({ database }) =>
      Promise.all(['', '-wal', '-shm'].map((end) => rm(database + end, { force: true }))),
    settle: async () => {},
    isAlive: () => true,
    stop: async () => place.leave(),
  }
}

function versionOf() {
  const script =
    "const Database = require('better-sqlite3'); console.log(new Database(':memory:').prepare('SELECT sqlite_version()').pluck().get())"
  return execFileSync(nodeProgram(), ['-e', script], { cwd: bench, encoding: 'utf8' }).trim()
}
