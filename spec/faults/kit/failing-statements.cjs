// Preloaded into a worker: the verbs of the database fail as FAULTS says, a list of { verb, code, times, after }, each verb
// in the list's order. They fail with the codes of the real drivers, before the statement is run or, with `after`, when it
// has been; without a code it goes well so many times.
const { built } = require('../../support/built.cjs')
const { QueryFailedError } = require('typeorm')
const dialects = require(built('#dialects/dialect'))

const faults = JSON.parse(process.env.FAULTS)
const { dialectFor } = dialects
const isFused = faults.some(({ verb }) => verb === 'exchange')

dialects.dialectFor = (...given) => {
  const dialect = { ...dialectFor(...given) }
  // Where one statement finishes and claims, it fails when told so, and else leaves the two to fail by themselves.
  if (!isFused) delete dialect.exchange
  for (const verb of ['claim', 'finish', 'exchange', 'renew', 'release', 'expired', 'takeOver']) {
    const real = dialect[verb]
    if (!real) continue
    dialect[verb] = async (...rest) => {
      const fault = faults.find((each) => each.verb === verb && each.times > 0)
      if (!fault) return real(...rest)
      fault.times--
      if (fault.code === undefined) return real(...rest)
      if (fault.after) await real(...rest)
      process.stderr.write(`FAULT ${verb} ${fault.code}\n`)
      throw new QueryFailedError(
        '-- a statement',
        [],
        Object.assign(new Error(`injected ${fault.code}`), { code: fault.code }),
      )
    }
  }
  return dialect
}
