import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makePlace } from './place.mjs'

export const user = 'bench'
export const password = 'bench-secret'

const PATIENCE = 60_000

/** Starts a server in a temp folder on a free loopback port, with its default settings. */
export async function startServer({ name, account, install, command, version }) {
  const place = makePlace(name, account)
  install?.(place)
  const port = await freePort()
  const [file, ...args] = command(place, port)
  const log = openSync(join(place.folder, 'log'), 'a')
  // A group of its own: Ctrl-C is for the bench, which then ends the server.
  const child = spawn(file, args, {
    ...place.as,
    cwd: place.folder,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  await once(child, 'spawn')
  writeFileSync(join(place.folder, 'pid'), String(child.pid))
  child.unref()
  return {
    port,
    pid: child.pid,
    version: await answering(child, place, () => version(port)),
    isAlive: () => isAlive(child),
    lastWords: () => lastWords(place),
    stop: () => stop(child, place),
  }
}

function isAlive({ exitCode, signalCode }) {
  return exitCode === null && signalCode === null
}

function lastWords({ folder }) {
  return readFileSync(join(folder, 'log'), 'utf8').slice(-2_000)
}

async function answering(child, place, ask) {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isAlive(child) || Date.now() > deadline)
        throw new Error(`The server did not start: ${error.message}\n${lastWords(place)}`)
      await sleep(50)
    }
  }
}

async function stop(child, place) {
  if (isAlive(child)) {
    const gone = once(child, 'exit')
    child.kill('SIGQUIT')
    await Promise.race([
      gone,
      sleep(3_000)
        .then(() => child.kill('SIGKILL'))
        .then(() => gone),
    ])
  }
  place.leave()
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Runs an installer inside the place, as the place's account. */
export function run(place, file, ...args) {
  execFileSync(file, args, { ...place.as, cwd: place.folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** The first folder that holds all these programs: of those given, of PATH, and of system programs. */
export function folderWith(folders, ...programs) {
  const path = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/bin',
  ]
  return [...folders, ...path].find((folder) =>
    programs.every((program) => existsSync(join(folder, program))),
  )
}

/** Folders below `root` with a version for a name, newest first. */
export function versionsIn(root) {
  if (!existsSync(root)) return []
  return readdirSync(root)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((name) => join(root, name))
}
