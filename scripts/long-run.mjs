// Runs one of the fault specs at length, where CI runs it in short:
//   node scripts/long-run.mjs <which> [--database sqlite|postgres|mariadb|mysql] [--seed N] [--<setting> N …]
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The long settings of each; any of them may be given. */
const RUNS = {
  'ten-thousand': { tasks: 10_000, kills: 20, restarts: 3 },
  soak: { minutes: 30 },
  volume: { finished: 1_000_000, ready: 100_000 },
  bloat: { minutes: 5 },
  memory: { tasks: 1_000_000 },
  interleavings: { runs: 2_000 },
}

const root = join(import.meta.dirname, '..')
const [which, ...rest] = process.argv.slice(2)
const { database, ...given } = options(rest)
const known = RUNS[which]
if (!known)
  refuse(`There is no long run "${which ?? ''}"; there are ${Object.keys(RUNS).join(', ')}.`)
const unknown = Object.keys(given).filter((name) => name !== 'seed' && !(name in known))
if (unknown.length > 0)
  refuse(
    `${which} has no setting --${unknown[0]}; it has --database, --seed, ${Object.keys(known)
      .map((name) => `--${name}`)
      .join(', ')}.`,
  )
if (!existsSync(join(root, 'dist/cli/index.js'))) refuse('There is no build. Run: npm run build')

const settings = { ...known, seed: Date.now() % 1_000_000_000, ...given }
const env = Object.fromEntries(
  Object.entries(settings).map(([name, value]) => [`FAULT_${name.toUpperCase()}`, String(value)]),
)
console.log(
  `${which}: ${Object.entries(settings)
    .map(([name, value]) => `--${name} ${value}`)
    .join(' ')}`,
)
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/jest/bin/jest.js'), '--runInBand', `spec/faults/${which}.spec.ts`],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      TYPEORM: '1',
      ...env,
      ...(database === undefined ? {} : { DB: database }),
    },
  },
)
process.exitCode = status ?? 1

function options(words) {
  const found = {}
  for (let at = 0; at < words.length; at += 2) {
    const name = /^--([a-z]+)$/.exec(words[at])?.[1]
    const value = words[at + 1]
    if (name === undefined || value === undefined)
      refuse(`Expected --name value, got "${words.slice(at).join(' ')}".`)
    if (name !== 'database' && !/^\d+(\.\d+)?$/.test(value))
      refuse(`--${name} must be a number, and is "${value}".`)
    found[name] = value
  }
  return found
}

function refuse(text) {
  console.error(text)
  process.exit(2)
}
