// Preloaded into a worker: it kills itself at the point named by CRASH_AT. The library knows nothing of this.
//   claimed    after rows were claimed, before their tasks start
//   returned   a task has returned, its outcome is not sent
//   finishing  the outcome is sent, the answer not read (SQLite, where a statement is a call: written, and nobody told)
//   renewing   the same with a renewal
const { built } = require('../../support/built.cjs')
const { Socket } = require('node:net')
const { DatabaseStore } = require(built('#database/store'))

const point = process.env.CRASH_AT
const { exchange, renew } = DatabaseStore.prototype
let awaited

DatabaseStore.prototype.exchange = async function (outcomes, limit, filter) {
  if (point === 'returned' && outcomes.length > 0) die()
  if (point === 'finishing' && outcomes.length > 0)
    return dieWhenSent(/finished_at/, exchange.call(this, outcomes, limit, filter))
  const answer = await exchange.call(this, outcomes, limit, filter)
  if (point === 'claimed' && answer.claimed.length > 0) die()
  return answer
}

DatabaseStore.prototype.renew = async function (rows) {
  if (point === 'renewing' && rows.length > 0)
    return dieWhenSent(/lease_until/, renew.call(this, rows))
  return renew.call(this, rows)
}

const { write } = Socket.prototype
Socket.prototype.write = function (data, ...rest) {
  const isAll = write.call(this, data, ...rest)
  if (awaited?.test(Buffer.from(data).toString('latin1'))) die()
  return isAll
}

async function dieWhenSent(pattern, work) {
  awaited = pattern
  await work
  die()
}

function die() {
  process.kill(process.pid, 'SIGKILL')
}
