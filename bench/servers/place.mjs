import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Ends the server and removes its folder when this process ends, however it ends: the pipe's end always arrives.
const watchman = `
read -r done
if [ -f "$1/pid" ]; then
  pid=$(cat "$1/pid")
  kill -s INT "$pid" 2>/dev/null; kill -s TERM "$pid" 2>/dev/null
  for turn in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null && sleep 0.2; done
  kill -s KILL "$pid" 2>/dev/null
fi
rm -rf "$1"
`

/** A temp folder, owned by the account that the server in it runs as. */
export function makePlace(name, account) {
  const folder = mkdtempSync(join(tmpdir(), `tasks-bench-${name}-`))
  const as = account !== undefined && process.getuid?.() === 0 ? accountOf(account) : {}
  if (as.uid !== undefined) chownSync(folder, as.uid, as.gid)
  const child = spawn('/bin/sh', ['-c', watchman, 'watchman', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  })
  child.unref()
  child.stdin.unref()
  return {
    folder,
    as,
    leave: () => (
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
      child.stdin.end()
    ),
  }
}

/** Database servers refuse to run as root. */
function accountOf(name) {
  const known = [name, 'nobody'].find((account) => idOf('-u', account) !== undefined)
  if (known === undefined)
    throw new Error(`There is neither an account "${name}" nor "nobody" to run the server as.`)
  return { uid: idOf('-u', known), gid: idOf('-g', known) }
}

function idOf(flag, account) {
  try {
    return Number(
      execFileSync('id', [flag, account], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    )
  } catch {
    return undefined
  }
}
