// Builds `dist` from scratch: stale files of an earlier layout would be packed otherwise.
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
execFileSync('npx', ['tsc', '-p', 'tsconfig.json'], { stdio: 'inherit' })
chmodSync('dist/cli/index.js', 0o755)
