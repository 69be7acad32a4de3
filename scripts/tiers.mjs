// What the tiers of the checks are, for scripts/test.mjs: which specs and checks each runs, how many at a time, and what goes
// side by side.
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/**
 * Jest workers for specs that wait for databases and processes most of their time: they leave room for others on the same
 * core. A number, since jest takes a percentage above 100 for a number of workers.
 */
const WAITING = 2 * availableParallelism()
/** For specs that wait for the answers of four servers: with two on a core, half of its time went by unused. */
const ASKING = 3 * availableParallelism()
/** For specs that measure times of servers and workers: half as many more than cores, since they wait for leases to end. */
const MEASURING = Math.ceil(1.5 * availableParallelism())
/** For specs that install, compile and bundle, which wait for little. */
const COMPUTING = availableParallelism()

/** Specs of faults that measure milliseconds and rates, which others would change. */
const MILLISECONDS = ['browser', 'bloat', 'volume', 'contention'].map(
  (name) => `spec/faults/${name}\\.spec`,
)

export const build = check('build', 'scripts/build.mjs', '--if-stale')
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
const manifest = check('manifest', 'scripts/check-package.mjs')

/**
 * What each tier runs after the build: steps one after another, the parts of a step side by side. What it runs quietly has no
 * other tier beside it.
 * The times are estimates for two cores with nothing else to do.
 */
export const TIERS = {
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
    holds: 'the command line, examples, documentation',
    takes: 'about 4 min',
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
    steps: [[faults({ workers: MEASURING, except: MILLISECONDS })]],
    quietly: [[faults({ workers: COMPUTING, only: MILLISECONDS })]],
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
    holds: 'the packed package, and apps that install it, on Node 22 and 24 too',
    takes: 'about 6 min',
    steps: [
      [manifest, specs(['package'], { workers: COMPUTING, atOnce: 2 })],
      [onNode('22'), onNode('24')],
    ],
  },
}

/** Tiers that go side by side where all are run. */
export const TOGETHER = [
  // Commands wait for their servers and for each other; installs and compilers take what they leave. Not beside the faults, which
  // measure leases.
  ['process', 'package'],
  // They wait for a browser, for Django's worker and for Redis.
  ['browser', 'django', 'redis'],
]

// Jest fails where it finds no spec.
if (!existsSync(join(import.meta.dirname, '..', 'spec/django'))) delete TIERS.django

function check(name, script, ...args) {
  return { name, args: [script, ...args] }
}

/** `atOnce`: tests of one file that may run at the same time, where they are marked so. */
function specs(
  projects,
  {
    workers = WAITING,
    env = {},
    name = projects.join(', '),
    only = [],
    except = [],
    atOnce = 5,
  } = {},
) {
  return {
    name,
    isJest: true,
    args: [
      'node_modules/jest/bin/jest.js',
      `--maxWorkers=${workers}`,
      `--maxConcurrency=${atOnce}`,
    ],
    projects,
    only,
    except,
    env: { TYPEORM: '1', ...env },
  }
}

function faults(wish) {
  const env = { DB: process.env.DB ?? 'sqlite,postgres,mariadb' }
  const name = wish.only === undefined ? 'faults' : 'faults, by milliseconds'
  return specs(['faults'], { name, env, ...wish })
}

function onNode(version) {
  return specs(['package'], {
    name: `apps on Node ${version}`,
    workers: Math.ceil(COMPUTING / 2),
    env: { SPEC_NODE: version },
    only: ['stranger', 'node-itself'],
  })
}
