import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeApp } from '../lib/app.mjs'
import { withChild } from '../lib/child.mjs'
import { median, now } from '../lib/numbers.mjs'
import { nodeProgram, repository } from '../lib/prepare.mjs'

const REQUIRE = "node -e require('typeorm')"
const WORKER = 'tasks db_worker --batch'
const COMPILING = `${WORKER}, no code kept`

/** What Node is to run, given the app's file. */
const commands = {
  [REQUIRE]: () => ['-e', `require(${JSON.stringify(join(repository, 'node_modules/typeorm'))})`],
  [WORKER]: tasks('db_worker', '--batch'),
  [`${WORKER} --no-startup-delay`]: tasks('db_worker', '--batch', '--no-startup-delay'),
  [COMPILING]: tasks('db_worker', '--batch'),
  'tasks --help': () => [join(repository, 'dist/cli/index.js'), '--help'],
}

export const startup = {
  name: 'startup',
  title: 'Start-up, ms',
  note: 'On an empty table. A worker with --batch leaves out the random wait of up to a second at the start of one that stays, so that the second and the third line are to be the same. The command has Node keep compiled code, so a first start is the one with no code kept.',
  columns: { ms: 'ms' },
  ratios: ['ms'],
  reference: REQUIRE,

  jobs({ databases, quick, servers }) {
    const times = quick ? 3 : 7
    const left = quick ? ['mariadb', 'mysql', 'redis'] : ['redis']
    const wanted = databases.filter((database) => !left.includes(database))
    return wanted.flatMap((database) =>
      Object.entries(commands).map(([who, args]) => ({
        database,
        who,
        run: () =>
          run(servers, database, args, {
            times,
            env: who === COMPILING ? { NODE_DISABLE_COMPILE_CACHE: '1' } : {},
          }),
      })),
    )
  },
}

function tasks(...args) {
  return (file) => [join(repository, 'dist/cli/index.js'), ...args, '-d', file]
}

function run(servers, database, args, { times, env }) {
  return servers.withDatabase(database, async (address) => {
    await withChild('typeorm-tasks', address, {}, (child) => child.ask('install'))
    const app = makeApp(address, { tasks: "task('bench.work', () => {})" })
    try {
      return {
        ms: median(
          Array.from({ length: times }, () => timeOf(args(join(app, 'ormconfig.js')), app, env)),
        ),
      }
    } finally {
      rmSync(app, { recursive: true, force: true })
    }
  })
}

/** In the folder of the app, where a worker looks for tasks. */
function timeOf(args, cwd, env) {
  const from = now()
  const { status, stderr } = spawnSync(nodeProgram(), args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  if (status !== 0)
    throw new Error(`"${args.join(' ')}" ended with ${status}: ${stderr.slice(-1_000)}`)
  return now() - from
}
