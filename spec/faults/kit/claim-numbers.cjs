// Preloaded into a worker: tells its tasks the claim that they run under. A task that read it from its row, as the journal
// of the other specs does, might be told that of the worker which has replaced it meanwhile.
const { join } = require('node:path')
const { DatabaseStore } = require(join(__dirname, '../../../dist/backends/database/store.js'))
if (process.env.CLOCK_SHIFT) require('./shifted-clock.cjs')

const claims = new Map()
globalThis.claimOf = (id) => claims.get(id)

const { exchange } = DatabaseStore.prototype
DatabaseStore.prototype.exchange = async function (outcomes, room, wishes) {
  const answer = await exchange.call(this, outcomes, room, wishes)
  for (const row of answer.claimed) claims.set(row.values.id, row.claims)
  return answer
}
