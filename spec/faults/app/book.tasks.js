// A task whose effect is in the database, by the transaction that also completes its row.
const { setTimeout: sleep } = require('node:timers/promises')
const { observed } = require('./patient')

const die = () => process.kill(process.pid, 'SIGKILL') && sleep(10_000)

/** Where a first attempt kills its worker. */
const DEATHS = {
  'after its writes': die,
  'before the commit': (runner) => void (runner.commitTransaction = die),
  'at the commit': (runner, commit) =>
    void (runner.commitTransaction = () => Promise.race([commit(), die()])),
  'after the commit': (runner, commit) =>
    void (runner.commitTransaction = () => commit().then(die)),
}

observed(
  'book',
  async ({ run, context: { attempt, manager } }, ms, death = 'never') => {
    await manager.query(
      `INSERT INTO fault_effect (task_id, claim_no) VALUES ('${run.id}', ${run.claim})`,
    )
    await sleep(ms)
    const { queryRunner } = manager
    if (attempt === 1)
      await DEATHS[death]?.(queryRunner, queryRunner.commitTransaction.bind(queryRunner))
  },
  { transactional: true },
)
