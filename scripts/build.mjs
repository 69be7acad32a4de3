// Builds `dist` from scratch: stale files of an earlier layout would be packed otherwise.
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
// Not `npx tsc`: other versions of TypeScript, installed for the specs, have a program of that name, too.
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
  stdio: 'inherit',
})
chmodSync('dist/cli/index.js', 0o755)
