import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'

/**
 * The Node that runs what apps start: this process's own, or the newest of the major version that SPEC_NODE names.
 * npm keeps such a Node in its cache; the first time it downloads about 50 MB.
 */
export function nodeProgram(version = process.env['SPEC_NODE']): string {
  if (version === undefined || version === '') return process.execPath
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const npmPackage = `node-${platform}-${process.arch}@${version}`
  return execFileSync(
    'npm',
    [
      'exec',
      '--yes',
      '--prefer-offline',
      `--package=${npmPackage}`,
      '-c',
      'node -p process.execPath',
    ],
    // In the repository npm would look for the package among its own.
    { cwd: tmpdir(), encoding: 'utf8' },
  ).trim()
}
