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
    analyse: async ({ database }) => ask(database, "db.exec('ANALYZE')"),
    isAlive: () => true,
    stop: async () => place.leave(),
  }
}

function versionOf() {
  return ask(':memory:', "console.log(db.prepare('SELECT sqlite_version()').pluck().get())")
}

/** By the Node of the contenders, for which the driver is built. */
function ask(database, statement) {
  const script = `const db = new (require('better-sqlite3'))(${JSON.stringify(database)}); ${statement}`
  return execFileSync(nodeProgram(), ['-e', script], { cwd: bench, encoding: 'utf8' }).trim()
}
