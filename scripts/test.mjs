// Runs tiers of the checks: node scripts/test.mjs <tier>|all [arguments for jest …]
// The last line is `N passed, N failed`; a check counts like a test. Ends with 1 if anything failed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { openScratch } from '../spec/support/scratch.cjs'

const ROOT = join(import.meta.dirname, '..')
/**
 * Jest workers for specs that wait for databases and processes most of their time: they leave room for others on the same
 * core. A number, since jest takes a percentage above 100 for a number of workers.
 */
const WAITING = 2 * availableParallelism()
/** For specs that wait for the answers of four servers: with two on a core, half of its time went by unused. */
const ASKING = 3 * availableParallelism()
/** For specs that measure times of servers and workers: half as many more than cores, since they wait for leases to end. */
const MEASURING = Math.ceil(1.5 * availableParallelism())

const build = check('build', 'scripts/build.mjs', '--if-stale')
const types = check('types', 'node_modules/typescript/bin/tsc', '--noEmit', '-p', 'spec')
const pageTypes = check('page types', 'node_modules/typescript/bin/tsc', '-p', 'dashboard/page')
const format = check(
  'format',
  'node_modules/prettier/bin/prettier.cjs',
  '--check',
  '--log-level=warn',
  '--cache',
  '.',
)
const lint = check('lint', 'node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings')
const manifest = check('package', 'scripts/check-package.mjs')

/**
 * What each tier runs after the build: steps one after another, the parts of a step side by side.
 * The times are estimates for two cores with nothing else to do.
 */
const TIERS = {
  fast: {
    holds: 'types, format, lint, units and the store contract on SQLite',
    takes: 'about 1 min',
    steps: [
      [
        specs(['unit', 'contract'], { workers: '100%', env: { DB: 'sqlite' } }),
        types,
        pageTypes,
        format,
        lint,
      ],
    ],
  },
  database: {
    holds: 'every database',
    takes: 'about 5 min',
    steps: [[specs(['contract', 'database'], { workers: ASKING })]],
  },
  'typeorm-0.3': {
    holds: 'the same with TypeORM 0.3',
    takes: 'about 5 min',
    steps: [
      [specs(['contract-0.3', 'database-0.3'], { workers: ASKING, env: { TYPEORM: '0.3' } })],
    ],
  },
  process: {
    holds: 'the command line, examples, documentation, apps with the packed package',
    takes: 'about 10 min',
    steps: [[specs(['process'])]],
  },
  browser: {
    holds: 'pages in Chromium',
    takes: 'about 2 min',
    steps: [[specs(['browser'], { env: { DB: process.env.DB ?? 'sqlite,postgres' } })]],
  },
  faults: {
    holds: 'kills, stops and cuts off real workers and servers',
    takes: 'about 8 min',
    // MySQL on request: DB=mysql npm run test:faults.
    steps: [
      [
        specs(['faults'], {
          workers: MEASURING,
          env: { DB: process.env.DB ?? 'sqlite,postgres,mariadb' },
        }),
      ],
    ],
  },
  django: {
    holds: 'a real Django beside us on one table',
    takes: 'about 2 min',
    steps: [[specs(['django'], { env: { DJANGO: '1' } })]],
  },
  redis: {
    holds: 'Redis, with Cluster and Sentinel',
    takes: 'about 1 min',
    steps: [[specs(['redis'])]],
  },
  package: {
    holds: 'the packed package, and apps with it on Node 22 and 24',
    takes: 'about 2 min',
    steps: [[manifest, onNode('22'), onNode('24')]],
  },
}

/** Tiers that go side by side where all are run: they wait for a browser, for Django's worker, for Redis and for npm. */
const TOGETHER = ['browser', 'django', 'redis', 'package']

// Jest fails where it finds no spec.
if (!existsSync(join(ROOT, 'spec/django'))) delete TIERS.django

const [wanted = 'fast', ...forJest] = process.argv.slice(2)
const chosen = wanted === 'all' ? Object.keys(TIERS) : [wanted]
if (!chosen.every((name) => name in TIERS)) {
  console.error(`There is no tier "${wanted}"; there are ${Object.keys(TIERS).join(', ')}, all.`)
  process.exit(2)
}

introduce()
// One for all tiers: what one has packed and installed serves the others.
const closeScratch = openScratch()
const times = []
const results = await inSteps([[build]])
if (results[0].failed === 0) for (const names of inGroups(chosen)) await runTiers(names)
closeScratch()
conclude()

/** What runs one after another: a tier, or tiers side by side. */
function inGroups(names) {
  const isTogether = (name) => names.length > 1 && TOGETHER.includes(name)
  const together = names.filter(isTogether)
  const alone = names.filter((name) => !isTogether(name)).map((name) => [name])
  return together.length > 0 ? [...alone, together] : alone
}

function introduce() {
  const shown = (name) => `${name === 'fast' ? 'npm test' : `test:${name}`} (${TIERS[name].takes})`
  const others = Object.keys(TIERS).filter((name) => !chosen.includes(name))
  const holds = chosen.map((name) => `${shown(name)}: ${TIERS[name].holds}`)
  console.log(`Runs ${holds.join('\n     ')}`)
  if (others.length > 0) console.log(`Not run: ${others.map(shown).join(', ')}; test:all runs all.`)
  console.log('What each needs: CONTRIBUTING.md\n')
}

async function runTiers(names) {
  const began = performance.now()
  const steps =
    names.length > 1 ? [names.flatMap((name) => TIERS[name].steps.flat())] : TIERS[names[0]].steps
  results.push(...(await inSteps(steps)))
  times.push(`${names.join(' with ')} ${seconds(performance.now() - began)}`)
}

function conclude() {
  const sum = (key) => results.reduce((total, result) => total + result[key], 0)
  const skipped = sum('skipped')
  const bad = results.filter(({ failed }) => failed > 0).map(({ name }) => name)
  console.log(`\nTook: ${times.join(', ') || 'no tier was run'}`)
  if (bad.length > 0) console.log(`FAILED: ${bad.join(', ')}`)
  console.log(
    `${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  )
  process.exitCode = bad.length > 0 ? 1 : 0
}

function check(name, script, ...args) {
  return { name, args: [script, ...args] }
}

function specs(
  projects,
  { workers = WAITING, env = {}, name = projects.join(', '), only = [] } = {},
) {
  return {
    name,
    isJest: true,
    args: ['node_modules/jest/bin/jest.js', `--maxWorkers=${workers}`],
    projects,
    only,
    env: { TYPEORM: '1', ...env },
  }
}

function onNode(version) {
  return specs(['process'], {
    name: `apps on Node ${version}`,
    env: { SPEC_NODE: version },
    only: ['stranger', 'node-itself'],
  })
}

/** Runs the parts of each step side by side, and prints their output one after another. */
async function inSteps(steps) {
  const ended = []
  for (const step of steps) {
    // Only the first is printed as it comes, so that lines do not mix.
    const running = step.map((part, at) => run(part, at === 0))
    for (const each of running) {
      const result = await each
      if (!result.isPrinted) process.stdout.write(`\n== ${result.name}\n${result.output}`)
      console.log(`${result.failed > 0 ? 'FAILED' : 'ok'}: ${result.name}, ${result.took}`)
      ended.push(result)
    }
  }
  return ended
}

async function run(part, isPrinted) {
  if (isPrinted) console.log(`== ${part.name}`)
  const began = performance.now()
  const child = spawn(process.execPath, argumentsOf(part), {
    cwd: ROOT,
    env: {
      ...process.env,
      ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
      ...part.env,
      ...(process.env.DB && part.env?.DB !== undefined ? { DB: process.env.DB } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
      if (isPrinted) process.stdout.write(text)
    })
  const status = await new Promise((resolve) => child.on('close', resolve))
  return {
    name: part.name,
    isPrinted,
    output,
    took: seconds(performance.now() - began),
    ...(part.isJest
      ? tallyOf(output, status)
      : { passed: +(status === 0), failed: +(status !== 0), skipped: 0 }),
  }
}

function argumentsOf({ args, isJest, only, projects }) {
  return isJest ? [...args, ...only, ...forJest, '--selectProjects', ...projects] : args
}

/** Reads the last line of the specs' reporter. */
function tallyOf(output, status) {
  const tallies = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)]
  const [, passed = 0, failed = 0, skipped = 0] = (tallies.at(-1) ?? []).map(Number)
  // Jest that ended without a tally, or that fails with none to blame, is one failure all the same.
  const isUnexplained = status !== 0 && failed === 0
  return { passed, failed: isUnexplained ? 1 : failed, skipped }
}

function seconds(ms) {
  return `${Math.round(ms / 1000)} s`
}
