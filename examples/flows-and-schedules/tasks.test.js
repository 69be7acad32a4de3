// What main.js does with a worker and a database, without either: node --test
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { group } from 'typeorm-tasks'
import { anything, partial, testTasks } from 'typeorm-tasks/testing'
import { alert, beat, fetchPage, index, notify, publish, sync } from './tasks.js'

let tasks
beforeEach(() => {
  tasks = testTasks()
})
afterEach(() => tasks.restore())

test('pages are fetched, then indexed as a whole', async () => {
  const flow = await group(['/', '/about'].map((path) => fetchPage.order(path)))
    .next((pages) => index.order(pages, 'en'))
    .next((words) => notify.order(words))
    .enqueue()

  await tasks.run()

  const [, , indexed] = await flow.results()
  assert.equal(indexed.returnValue, 6)
})

test('of a page that is missing nothing is published, and somebody is told', async () => {
  await fetchPage
    .order('/missing')
    .next((page) => publish.order(page))
    .onFailure((failure) => alert.order(failure))
    .enqueue()

  const { results } = await tasks.run({ throwFailures: false })

  assert.deepEqual(
    results.map(({ taskName, status }) => [taskName, status]),
    [
      ['site.fetch', 'FAILED'],
      ['site.alert', 'SUCCESSFUL'],
    ],
  )
})

test('an account is synchronised once a minute at most', async () => {
  await sync.enqueue('acme')
  await tasks.run()
  assert.equal((await sync.enqueue('acme')).isDuplicate, true)
  await tasks.travel(60_001)
  assert.equal((await sync.enqueue('acme')).isDuplicate, false)
  tasks.expectEnqueued(sync, ['acme'], { count: 2 })
})

test('a slot of the schedule knows its time', async () => {
  const slot = new Date('2030-01-01T00:00:02Z')
  await tasks.fire('site.beats', slot)
  tasks.expectEnqueued(beat, [], { runAfter: null })
  tasks.expectNotEnqueued(alert, [partial({ taskName: anything })])
  await tasks.run()
})
