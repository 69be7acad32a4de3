import { createHash } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Wakeup } from '../../../lib/store'
import { wakeupOf } from './notify'

/** The most queues that are told apart: apps may make them up as they go. */
export const MOST_QUEUES = 1000

/**
 * Where processes of one user on one host wake each other for one table: a worker watches the folder, and a process that
 * enqueues touches a file in it. Files are empty, and their names say what there is to hear.
 */
export interface Folder {
  /** The folder of the user, above that of the table. */
  readonly root: string
  readonly path: string
}

/** `address`: of the database, as all its processes on this host know it. */
export function folderOf(address: string, tablePath: string): Folder {
  // Node has no user id on Windows.
  const user = process.geteuid?.() ?? hashOf(userInfo().username)
  const root = join(tmpdir(), `typeorm-tasks-${user}`)
  return { root, path: join(root, hashOf(`${address} ${tablePath}`)) }
}

/** Whether nobody but this user can have put something there: others may write to the folder above it. */
export function isOwn({ root }: Folder): boolean {
  const found = lstatSync(root, { throwIfNoEntry: false })
  if (!found?.isDirectory()) return false
  const user = process.geteuid?.()
  return user === undefined || (found.uid === user && (found.mode & 0o077) === 0)
}

/** Letters of one case only, since file systems may take `Mail` for `mail`. At most 200 characters: a queue has 32. */
export function fileNameOf(wakeup: Wakeup): string {
  const which = wakeup.what === 'cancel' ? wakeup.key : wakeup.queue
  return `${wakeup.what}-${Buffer.from(which).toString('hex')}`
}

/** Undefined for the name of another file. */
export function wakeupIn(fileName: string): Wakeup | undefined {
  const [, what, hex] = /^([a-z]+)-((?:[0-9a-f]{2})+)$/.exec(fileName) ?? []
  return wakeupOf(what, hex && Buffer.from(hex, 'hex').toString())
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
