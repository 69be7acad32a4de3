// Preloaded into a worker: tells its tasks the claim that they run under. A task that read it from its row, as the journal
// of the other specs does, might be told that of the worker which has replaced it meanwhile.
const { AsyncLocalStorage } = require('node:async_hooks')
const { built } = require('../../support/built.cjs')
const { ClaimedTask } = require(built('#claimed-task'))
if (process.env.CLOCK_SHIFT) require('./shifted-clock.cjs')

const claims = new AsyncLocalStorage()
globalThis.claimNumber = () => claims.getStore()

const { run } = ClaimedTask.prototype
ClaimedTask.prototype.run = function () {
  return claims.run(this.row.claims, () => run.call(this))
}
