import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import type { EntityManager } from 'typeorm'
import { type DatabaseTasks, perform, testTasks } from 'typeorm-tasks/testing'
import { dataSource } from './data-source'
import { Report } from './report.entity'
import { buildReport } from './report.tasks'

let tasks: DatabaseTasks
before(() => dataSource.initialize())
after(() => dataSource.destroy())
beforeEach(() => {
  tasks = testTasks({ mode: 'database' })
})
afterEach(() => tasks.restore())

/** Nothing of a test stays in the database. On SQLite, where a DataSource is one connection, what the task does with it is undone, too. */
async function rolledBack(work: (manager: EntityManager) => Promise<void>): Promise<void> {
  const runner = dataSource.createQueryRunner()
  await runner.startTransaction()
  try {
    await work(runner.manager)
  } finally {
    await runner.rollbackTransaction()
  }
}

test('a report without rows fails, and says so to the user', () =>
  rolledBack(async (manager) => {
    const report = { name: 'empty', csv: 'item,amount\n', total: null }
    const { id } = await manager.save(Report, report)
    await buildReport.using({ manager }).enqueue(id)

    await tasks.expectEnqueued(buildReport, [id], { manager })
    await assert.rejects(tasks.drain({ manager }), /empty has no rows below its header/)
  }))

test('a report is cancelled while it is built', () =>
  rolledBack(async (manager) => {
    const report = { name: 'long', csv: 'item,amount\ntea,3\n', total: null }
    const { id } = await manager.save(Report, report)
    const signal = AbortSignal.timeout(500)

    const result = await perform(buildReport, [id], { signal, throwFailures: false })

    assert.equal(result.errors[0]?.exceptionClassPath, 'typeorm_tasks.TaskCancelled')
    assert.equal(result.progress?.done, 1)
  }))
