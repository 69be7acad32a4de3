// The folder of all that a run of specs writes for itself: apps, what npm installs for them, data of servers. In memory where
// there is room, since specs write a hundred thousand small files, which takes a disk minutes.
const {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} = require('node:fs')
const { freemem, tmpdir } = require('node:os')
const { join } = require('node:path')

const MEMORY = '/dev/shm'
/** Bytes that must be free there: several times what a run holds at once. */
const ROOM = 8 * 1024 ** 3
const NAME = /^tasks-specs-(\d+)-/

/** Makes the folder and lets everything that starts from here on use it; gives what removes it. Within a run that has one, that one serves. */
exports.openScratch = function openScratch() {
  if (process.env.SPEC_SCRATCH) return () => {}
  const parent = hasRoom() ? MEMORY : tmpdir()
  removeLeftBehind(parent)
  const folder = mkdtempSync(join(parent, `tasks-specs-${process.pid}-`))
  // Servers run as accounts of their own.
  chmodSync(folder, 0o1777)
  mkdirSync(join(folder, 'shared'))
  process.env.SPEC_SCRATCH = folder
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** A choice of TMPDIR stands. */
function hasRoom() {
  if (process.env.TMPDIR || process.platform !== 'linux') return false
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    const mounts = readFileSync('/proc/mounts', 'utf8')
    const options =
      mounts
        .split('\n')
        .map((line) => line.split(' '))
        .find(([, at]) => at === MEMORY)?.[3] ?? 'noexec'
    return bavail * bsize >= ROOM && freemem() >= ROOM && !options.split(',').includes('noexec')
  } catch {
    return false
  }
}

/** A run that was killed could not remove its folder. */
function removeLeftBehind(parent) {
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.[1] ?? process.pid)
    if (!isAlive(pid)) rmSync(join(parent, name), { recursive: true, force: true })
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
