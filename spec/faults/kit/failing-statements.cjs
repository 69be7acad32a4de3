// Preloaded into a worker: the verbs of the database fail as FAULTS says, a list of { verb, code, times, after }, each verb
// in the list's order. They fail with the codes of the real drivers, before the statement is run or, with `after`, when it
// has been; without a code it goes well so many times.
const { built } = require('../../support/built.cjs')
const { QueryFailedError } = require('typeorm')
const { Dialect } = require(built('#dialects/dialect'))
const dialects = require(built('#dialect-for'))

const faults = JSON.parse(process.env.FAULTS)
const { dialectFor } = dialects
const isFused = faults.some(({ verb }) => verb === 'exchange')
/** The method behind each verb, where it has another name: `exchange` fails in the one statement that finishes and claims. */
const METHODS = { exchange: 'finishAndClaim' }

const failing = new WeakSet()

dialects.dialectFor = (...given) => {
  const dialect = dialectFor(...given)
  if (failing.has(dialect)) return dialect
  failing.add(dialect)
  // Where one statement finishes and claims, it fails when told so, and else leaves the two to fail by themselves.
  if (!isFused) dialect.exchange = Dialect.prototype.exchange
  for (const verb of ['claim', 'finish', 'exchange', 'renew', 'release', 'expired', 'takeOver']) {
    const method = METHODS[verb] ?? verb
    const real = dialect[method]
    if (!real) continue
    dialect[method] = async (...rest) => {
      const fault = faults.find((each) => each.verb === verb && each.times > 0)
      if (!fault) return real.apply(dialect, rest)
      fault.times--
      if (fault.code === undefined) return real.apply(dialect, rest)
      if (fault.after) await real.apply(dialect, rest)
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
