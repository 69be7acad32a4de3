// npm for pages that are copied line by line: node npm-once.cjs <arguments of npm>. Of installs of the same packages beside the
// same manifest and lock, npm makes the first of a run, and the others have its files. All else is npm's own.
const { execFileSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { onceForRun } = require('./once.cjs')

const MANIFESTS = ['package.json', 'package-lock.json']
/** A folder of npm init has its own name, which makes no difference. */
const NAME = 'app'

const args = process.argv.slice(2)
const here = process.cwd()
if (args[0] === 'install' && !hasWorkspaces())
  copyTree(onceForRun(key(), install), here, nameHere())
else npm(here)

function hasWorkspaces() {
  return args.some((arg) => arg.startsWith('--workspace')) || 'workspaces' in manifest()
}

function key() {
  const { SPEC_NODE = '' } = process.env
  const before = MANIFESTS.map((name) => named(join(here, name), NAME))
  const asked = JSON.stringify([args.toSorted(), before, SPEC_NODE])
  return `npm-${createHash('sha256').update(asked).digest('hex').slice(0, 16)}`
}

function install(folder) {
  copyTree(here, folder, NAME)
  npm(folder)
}

function npm(cwd) {
  execFileSync('npm', args, { cwd, stdio: 'inherit' })
}

/** Files are the same ones, save those that npm writes to again. */
function copyTree(from, to, name) {
  for (const file of MANIFESTS) {
    const text = named(join(from, file), name)
    if (text !== undefined) writeFileSync(join(to, file), text)
  }
  if (!existsSync(join(from, 'node_modules'))) return
  rmSync(join(to, 'node_modules'), { recursive: true, force: true })
  execFileSync('cp', ['-al', join(from, 'node_modules'), to])
  const lock = 'node_modules/.package-lock.json'
  rmSync(join(to, lock))
  copyFileSync(join(from, lock), join(to, lock))
}

function manifest() {
  const file = join(here, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

function nameHere() {
  return manifest().name ?? NAME
}

/** The text of a manifest or a lock under another name; nothing where there is none. */
function named(file, name) {
  if (!existsSync(file)) return undefined
  const content = JSON.parse(readFileSync(file, 'utf8'))
  if ('name' in content) content.name = name
  if (content.packages?.['']?.name !== undefined) content.packages[''].name = name
  return `${JSON.stringify(content, null, 2)}\n`
}
