// Runs the tutorial from the first migration to the result, in a temporary folder, and ends by itself.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const repository = join(here, '../..')
const app = mkdtempSync(join(tmpdir(), 'typeorm-tasks-demo-'))

try {
  copyApp()
  step(
    '1. Write the migration of the tasks table',
    'npx tasks makemigrations',
    tasks('makemigrations'),
  )
  step(
    '2. Run it, as any other migration',
    'npx typeorm migration:run -d ormconfig.js',
    typeorm('migration:run', '-d', 'ormconfig.js'),
  )
  step('3. Enqueue tutorial.super_complicated_task, as a web server would', 'node enqueue.js', [
    'enqueue.js',
  ])
  step(
    '4. Let a worker run it',
    'npx tasks db_worker --batch -v 1',
    tasks('db_worker', '--batch', '-v', '1'),
  )
  step('5. Read the result through the repository', 'node read.js', ['read.js'])
  console.log(`
Where to look next
  examples/super-complicated-task   the files of this demo: ormconfig.js, tasks.js, enqueue.js, read.js
  examples/express-sqlite           the same in a web server, inside the app's transaction
  docs/guide/quick-start.md         the steps for an app of your own`)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(app, { recursive: true, force: true })
}

/** The app as a user has it: its own folder, with the packages installed there. */
function copyApp() {
  for (const file of ['package.json', 'ormconfig.js', 'tasks.js', 'enqueue.js', 'read.js'])
    cpSync(join(here, file), join(app, file))
  mkdirSync(join(app, 'node_modules'))
  for (const name of ['typeorm', 'better-sqlite3', 'reflect-metadata'])
    install(name, join(repository, 'node_modules', name))
  install('typeorm-tasks', repository)
}

function install(name, folder) {
  symlinkSync(folder, join(app, 'node_modules', name), 'junction')
}

function tasks(...args) {
  return [join(repository, 'dist/cli/index.js'), ...args]
}

function typeorm(...args) {
  return [join(repository, 'node_modules/typeorm/cli.js'), ...args]
}

/** Runs one command of the tutorial; its output and its log lines go to standard output. */
function step(title, shown, args) {
  console.log(`\n${title}\n$ ${shown}`)
  const { status, signal, error } = spawnSync(process.execPath, args, {
    cwd: app,
    stdio: ['ignore', 1, 1],
  })
  if (error) throw error
  if (status !== 0) throw new Error(`\`${shown}\` ended with ${signal ?? `exit code ${status}`}.`)
}
