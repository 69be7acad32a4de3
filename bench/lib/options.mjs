import { parseArgs } from 'node:util'

const REDIS = 'redis'
/** Those of the whole run. What is on Redis has a run, and a report, of its own. */
const WHOLE = ['postgres', 'mariadb', 'mysql', 'sqlite']
const DATABASES = [...WHOLE, REDIS]

export const usage = `npm run bench -- [options]

  --quick             about two minutes: fewer tasks, one round, the core measures
  --rounds <n>        rounds, interleaved (default 3; with --quick 1)
  --only <regex>      only jobs whose name matches, e.g. 'drain/postgres/(typeorm|graphile)'
  --database <list>   of ${DATABASES.join(', ')} (default: all but ${REDIS})
  --out <file>        where the report goes (default: bench/RESULTS.md after a whole full run,
                      bench/RESULTS-REDIS.md after one of --database ${REDIS})
  --sweep <contender> the settings of one contender beside each other: how its best ones were found
  --list              names the jobs and ends
`

/** @throws Error that says what is wrong with the call. */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      database: { type: 'string' },
      out: { type: 'string' },
      sweep: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error(`--rounds: a whole number from 1 on was expected, not "${values.rounds}".`)
  return {
    ...values,
    databases: databasesOf(values),
    rounds,
    only: new RegExp(values.only ?? ''),
    isWhole: reportOf(values) === 'RESULTS.md',
    report: reportOf(values),
  }
}

/** The file in `bench` that a run writes; undefined: none. */
function reportOf({ quick, only, database, sweep }) {
  if (quick || only !== undefined || sweep !== undefined) return undefined
  if (database === undefined) return 'RESULTS.md'
  return database === REDIS ? 'RESULTS-REDIS.md' : undefined
}

function databasesOf({ database }) {
  const databases = database === undefined ? WHOLE : database.split(',')
  const unknown = databases.find((name) => !DATABASES.includes(name))
  if (unknown !== undefined)
    throw new Error(`--database: there is no "${unknown}", but ${DATABASES.join(', ')}.`)
  return databases
}
