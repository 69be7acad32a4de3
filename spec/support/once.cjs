// What the first spec of a run that asks for it makes for all.
const { existsSync, mkdirSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

/** Milliseconds that another spec may take to make it. */
const PATIENCE = 300_000

/** Gives a folder that the first who asks fills; others wait until it is full. */
exports.onceForRun = function onceForRun(name, fill) {
  const folder = join(process.env.SPEC_SCRATCH ?? tmpdir(), 'shared', name)
  const full = `${folder}.full`
  const deadline = Date.now() + PATIENCE
  while (!existsSync(full)) {
    if (isMade(folder)) {
      try {
        fill(folder)
        writeFileSync(full, '')
      } catch (error) {
        rmSync(folder, { recursive: true, force: true })
        throw error
      }
    } else if (Date.now() > deadline) throw new Error(`Waited in vain for ${full}`)
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  }
  return folder
}

/** Makes the folder, unless it is there. */
function isMade(folder) {
  try {
    mkdirSync(folder)
    return true
  } catch {
    return false
  }
}
