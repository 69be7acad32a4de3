import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temp folder for one server, and the account that owns it. */
export interface Place {
  readonly folder: string
  /** Whoever is named here is ended with the place. */
  readonly pidFile: string
  /** The account to run as; empty where the specs do not run as root. */
  readonly as: { readonly uid?: number; readonly gid?: number }
  /** Call it when all is cleaned up: dismisses the watchman. */
  leave(): void
}

/** Makes a folder, among the temporary ones unless told, that is removed, together with the server in it, even if this process is killed. */
export function makePlace(
  name: string,
  account?: string,
  signal: NodeJS.Signals = 'SIGKILL',
  parent = tmpdir(),
): Place {
  const folder = mkdtempSync(join(parent, `tasks-${name}-`))
  const as: Place['as'] =
    account !== undefined && process.getuid?.() === 0 ? accountOf(account) : {}
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid)
  return { folder, pidFile: join(folder, 'pid'), as, leave: watch(folder, signal) }
}

// The pipe's end is the only news of a killed parent that always arrives.
const watchman = `
read -r done && exit
if [ -f "$1/pid" ]; then
  pid=$(cat "$1/pid")
  kill -s "$2" "$pid"
  for turn in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" && sleep 0.2; done
fi
rm -rf "$1"
`

function watch(folder: string, signal: NodeJS.Signals): () => void {
  const args = ['-c', watchman, 'watchman', folder, signal.replace('SIG', '')]
  const child = spawn('/bin/sh', args, {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  })
  child.unref()
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  return () => child.stdin.end('done\n')
}

function accountOf(name: string): { uid: number; gid: number } {
  const account = [name, 'nobody'].find(exists)
  if (account === undefined)
    throw new Error(
      `A database server does not run as root, and there is neither an account "${name}" nor "nobody".`,
    )
  return { uid: idOf('-u', account), gid: idOf('-g', account) }
}

function exists(account: string): boolean {
  try {
    return idOf('-u', account) >= 0
  } catch {
    return false
  }
}

function idOf(flag: '-u' | '-g', account: string): number {
  return Number(
    execFileSync('id', [flag, account], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
}
