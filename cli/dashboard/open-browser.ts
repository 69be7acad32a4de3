import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tell } from '../output'

const OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', '""'],
}

/**
 * Opens a link in the user's browser. By a file of this user alone that leads to it: all users of a machine see the arguments
 * of its programs, and so the token.
 */
export function openBrowser(link: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'tasks-dashboard-'))
  const file = join(folder, 'open.html')
  writeFileSync(file, `<!doctype html><meta http-equiv="refresh" content="0;url=${link}">\n`, {
    mode: 0o600,
  })
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const [command, ...args] = OPENERS[process.platform] ?? ['xdg-open']
  const child = spawn(command, [...args, file], { stdio: 'ignore', detached: true })
  child.once('error', ({ message }) =>
    tell(`No browser could be opened (${message}): open the link.`),
  )
  child.unref()
}
