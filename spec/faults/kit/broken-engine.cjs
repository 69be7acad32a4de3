// Preloaded into a worker: the engine with one of its safeguards taken out, named by BREAK. A check that does not
// notice these is worth nothing.
//   fence    an outcome is written whatever claim holds the row
//   lease    a row is taken over though its lease has not ended
//   counter  a row that is given back gets its number of claims back, too
//   batch    outcomes that could not be handed in are forgotten
const { built } = require('../../support/built.cjs')
const { Session } = require(built('#session'))
const { DatabaseStore } = require(built('#database/store'))

const BREAKS = {
  // Only where the outcome of a run is written: renewals would tell on the others.
  fence: (sql) =>
    /SET (t\.)?(status = (coalesce\()?v\.status|return_value)/.test(sql)
      ? sql
          .replaceAll(
            / AND t\.(status( \|\| '')? = 'RUNNING'|claims = (v\.|:)claims|lease_until IS NOT NULL)/g,
            '',
          )
          .replaceAll("CONCAT(t.status, '') = 'RUNNING'", 'true')
      : sql,
  lease: (sql) =>
    sql.replaceAll(/(t\.)?lease_until < (replace\([\s\S]*?'\.000000', ''\)|\w+\(\d?\))/g, 'true'),
  counter: (sql) =>
    sql
      .replace("SET status = 'READY', lease_until = NULL,", '$& claims = t.claims - 1,')
      .replace("t.lease_until = NULL, t.status = 'READY',", '$& t.claims = t.claims - 1,'),
}

const rewrite = BREAKS[process.env.BREAK]
if (rewrite) {
  const { query } = Session.prototype
  Session.prototype.query = function (text, values) {
    return query.call(this, rewrite(text), values)
  }
}

if (process.env.BREAK === 'batch') {
  const { exchange } = DatabaseStore.prototype
  let calls = 0
  DatabaseStore.prototype.exchange = async function (outcomes, limit, filter) {
    if (outcomes.length > 0 && calls++ === 0)
      return { answers: outcomes.map(() => 'kept'), claimed: [] }
    return exchange.call(this, outcomes, limit, filter)
  }
}
