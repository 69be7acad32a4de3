// Preloaded into a worker: it counts the rows that it makes due, and kills itself at a boundary of a statement of flows. The library
// knows nothing of this.
//   DUE_LOG   the file to which the number of rows is added, by each statement that makes some due
//   DIE_AT    "unpark before" or "unpark after", of any verb of flows; "exchange …" of one that stores outcomes. Without it: never
//   DIE_TIMES at which of them: 1 is the first
const { appendFileSync } = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { built } = require('../../support/built.cjs')
const { DatabaseStore } = require(built('#database/store'))
const { SqlFlowRows } = require(built('#flow-rows'))

const { DIE_AT, DIE_TIMES = '1', DUE_LOG } = process.env
let left = Number(DIE_TIMES)

for (const verb of ['first', 'members', 'unpark', 'fail', 'drop', 'options', 'waiting'])
  around(SqlFlowRows.prototype, verb, () => true)
around(DatabaseStore.prototype, 'exchange', ([outcomes]) => outcomes.length > 0)

/** Statements that make rows due and are not answered yet. */
let underWay = 0

function around(prototype, verb, isMeant) {
  const original = prototype[verb]
  prototype[verb] = async function (...args) {
    if (!isMeant(args)) return original.apply(this, args)
    await reached(`${verb} before`)
    const answer =
      verb === 'unpark'
        ? await logged(original.apply(this, args))
        : await original.apply(this, args)
    await reached(`${verb} after`)
    return answer
  }
}

async function logged(unparking) {
  underWay++
  try {
    const due = await unparking
    if (due > 0) appendFileSync(DUE_LOG, `${due}\n`)
    return due
  } finally {
    underWay--
  }
}

/** The worker dies once nothing is under way that makes rows due, so that all of those are counted; nothing else begins. */
async function reached(point) {
  if (left > 0 && point === DIE_AT) left--
  if (DIE_AT === undefined || left > 0) return
  for (;;) {
    if (underWay === 0) process.kill(process.pid, 'SIGKILL')
    await sleep(1)
  }
}
