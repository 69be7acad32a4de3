// Without a worker and a database: node --test
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { perform } from 'typeorm-tasks/testing'
import { superComplicatedTask } from './tasks.js'

test('a target has its sources, and the task tells how far it is', async () => {
  const result = await perform(superComplicatedTask, ['M31'])

  assert.deepEqual(result.returnValue, { target: 'M31', sources: 42 })
  assert.deepEqual(result.progress, { done: 4, total: 4, note: 'done!' })
})
