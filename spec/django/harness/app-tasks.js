// The tasks of our app. Those named shared.tasks.… are also known to Django.
const { appendFileSync, existsSync } = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { task } = require('typeorm-tasks')

class DomainError extends Error {
  name = 'DomainError'
}

task('shared.tasks.add', async (a, b) => a + b)
task('shared.tasks.greet', async (name, { greeting = 'hello' } = {}) => [greeting, name].join(', '))
task('shared.tasks.echo', async (value) => value)
task('shared.tasks.nothing', async () => {})
task('shared.tasks.fail', async (message) => {
  throw new DomainError(message, { cause: new RangeError('the inner one') })
})
task(
  'shared.tasks.who_runs',
  async ({ taskResult, attempt }) => ({
    id: taskResult.id,
    attempt,
    workers: taskResult.workerIds,
  }),
  { takesContext: true },
)
task('shared.tasks.logged', async (tag, seconds = 0) => {
  appendFileSync(process.env.SHARED_RUN_LOG, ['ours ', tag, '\n'].join(''))
  await sleep(seconds * 1000)
})

// Unknown to Django.
task('node_app.hold', async (file) => {
  while (!existsSync(file)) await sleep(20)
})
task('node_app.fail', async () => {
  throw new TypeError('broken 😀')
})
task(
  'node_app.progress',
  async (context) => {
    context.reportProgress(1, 2, 'half')
    return 'done'
  },
  { takesContext: true },
)
