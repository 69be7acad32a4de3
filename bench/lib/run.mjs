import { measures as all } from '../measures/index.mjs'
import { Servers } from '../servers/index.mjs'
import { machine, report, versionsOf } from './report.mjs'
import { Results } from './results.mjs'

/** Measures what the options ask for, and gives the report. */
export async function run(
  options,
  chosen = all.filter(
    ({ isCore = true }) => isCore || !options.quick || options.only.source !== '(?:)',
  ),
) {
  const [begun, servers, results] = [machine(), new Servers(), new Results()]
  const plan = chosen
    .map((measure) => ({ measure, jobs: jobsOf(measure, options, servers) }))
    .filter(({ jobs }) => jobs.length > 0)
  if (options.list) return plan.flatMap(({ jobs }) => jobs.map((job) => `${job.name}\n`)).join('')
  try {
    for (const { measure, jobs } of plan)
      await inRounds(measure.once ? 1 : options.rounds, jobs, results)
    return report(results, {
      begun,
      versions: [...(await servers.versions()), ...versionsOf()],
      minutes: (Date.now() - begun.at) / 60_000,
      rounds: options.rounds,
      quick: options.quick,
      isWhole: options.isWhole,
    })
  } finally {
    await servers.stop()
  }
}

function jobsOf(measure, { databases, quick, only }, servers) {
  const named = measure.jobs({ databases, quick, servers }).map((job) => ({
    ...job,
    measure: measure.name,
    name: [measure.name, job.database, job.who, job.part].filter(Boolean).join('/'),
  }))
  return named.filter(({ name }) => only.test(name))
}

/** Interleaved: what slows the machine for a while slows all alike. */
async function inRounds(rounds, jobs, results) {
  for (let round = 1; round <= rounds; round++)
    for (const job of jobs) await measured(job, round, results)
}

async function measured(job, round, results) {
  const from = Date.now()
  try {
    const numbers = await job.run()
    results.add(job, round, numbers)
    say(
      `${job.name}: ${Object.entries(numbers)
        .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
        .join(', ')} (${seconds(from)} s)`,
    )
  } catch (error) {
    const [reason] = error.message.split('\n')
    if (!results.problems.some((problem) => problem.startsWith(`${job.name}: `)))
      results.problems.push(`${job.name}: ${reason}`)
    say(`${job.name}: FAILED after ${seconds(from)} s: ${error.message}`)
  }
}

function seconds(from) {
  return ((Date.now() - from) / 1_000).toFixed(1)
}

function say(line) {
  process.stderr.write(`${line}\n`)
}
