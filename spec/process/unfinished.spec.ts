import { setTimeout as sleep } from 'node:timers/promises'
import { type CliApp, cliApp, ormconfig, TASKS_FILE } from '../support/cli-app'

const COMMANDS = [
  ['check'],
  ['makemigrations', '--check'],
  ['prune_db_task_results'],
  ['enqueue', 'app.add', '[1]'],
  ['results'],
  ['db_worker', '--batch'],
]

const OPTIONS = { type: 'better-sqlite3', database: 'app.sqlite' } as const

async function appWith(more: string, files: Record<string, string> = {}): Promise<CliApp> {
  return cliApp({ files: { 'ormconfig.js': `${ormconfig(OPTIONS)}\n${more}`, ...files } })
}

it('an app whose exported promise is never settled: each command says so and fails', async () => {
  const app = await appWith(`exports.more = new Promise(() => {})`)
  const told = await Promise.all(
    [...COMMANDS, ['db_worker', '--processes', '2']].map((command) => app.tasks(...command)),
  )

  for (const { code, stdout, stderr } of told) {
    expect(stderr).toMatch(/^error: .*ormconfig\.js never finished loading\. It exports or awaits/m)
    expect([code, stdout]).toEqual([1, ''])
  }
})

it('task files that await each other, and process.exit() in a file of the app', async () => {
  const [stuck, ended] = await Promise.all([
    appWith('', {
      'a.tasks.mjs': `export const a = await import('./b.mjs')`,
      'b.mjs': `export const b = await new Promise(() => {})`,
    }),
    appWith('process.exit(0)'),
  ])
  const [check, exit] = await Promise.all([stuck.tasks('check'), ended.tasks('check')])

  expect(check.code).toBe(1)
  expect(check.stderr).toMatch(/^error: .*a\.tasks\.mjs never finished loading\./m)
  expect(exit.code).toBe(1)
  expect(exit.stderr).toMatch(
    /^error: process\.exit\(0\) was called while .*ormconfig\.js was loading\. Remove that call/m,
  )
})

it('a close that ends the process does not make a success of a failure; one that lasts is named', async () => {
  const [ends, lasts] = await Promise.all([
    appWith(`exports.close = () => process.exit(0)`),
    appWith(`exports.close = () => new Promise(() => {})`),
  ])
  const [failed, fine, slow] = await Promise.all([
    ends.tasks('results', 'show', '01981c1e-7c2a-7b3c-8d4e-5f6071829304'),
    ends.tasks('results'),
    lasts.tasks('results'),
  ])

  const said = /process\.exit\(0\) was called while close\(\) of .*ormconfig\.js was running/
  expect(failed.code).toBe(1)
  expect(failed.stderr).toMatch(/01981c1e/)
  expect(failed.stderr).toMatch(said)
  expect(fine.code).toBe(0)
  expect(fine.stderr).toMatch(said)
  expect(slow.code).toBe(0)
  expect(slow.stderr).toMatch(/close\(\) of .*ormconfig\.js has not finished in 10 s/)
}, 60_000)

it('a task that ends the process is named, and so are those beside it', async () => {
  const app = await cliApp({
    files: { 'tasks.js': `${TASKS_FILE}\n task('app.exit', async () => process.exit(0))` },
  })
  const [slow] = await app.enqueue('app.sleep', [[20_000]])
  const [exit] = await app.enqueue('app.exit')
  const { code, stderr } = await app.tasks('db_worker', '--batch')

  expect(code).toBe(1)
  expect(stderr).toContain('error: process.exit(0) was called while these tasks ran: ')
  expect(stderr).toContain(`app.sleep (${slow})`)
  expect(stderr).toContain(`app.exit (${exit})`)
})

it('SIGHUP: an app that listens for it keeps its worker, any other worker stops as at SIGTERM', async () => {
  const [plain, reopens] = await Promise.all([
    appWith(''),
    appWith(`process.on('SIGHUP', () => console.log('logs are reopened'))`),
  ])
  const worker = ['db_worker', '--no-startup-delay', '--interval', '0.1']
  const [one, fleet, other] = [
    plain.start(...worker),
    plain.start(...worker, '--processes', '2'),
    reopens.start(...worker),
  ]
  await Promise.all([one, fleet, other].map((each) => each.says('Starting worker')))
  await sleep(300)
  for (const each of [one, fleet, other]) each.kill('SIGHUP')

  expect(await one.exited).toEqual({ code: 0, signal: null })
  expect(one.log).toContain('Received SIGHUP - shutting down gracefully')
  expect(await fleet.exited).toEqual({ code: 0, signal: null })
  await other.says('logs are reopened')
  const [id] = await reopens.enqueue('app.add', [[1]])
  await other.says(`id=${id} path=app.add state=SUCCESSFUL`)
  other.kill('SIGTERM')
  expect(await other.exited).toEqual({ code: 0, signal: null })
  expect(other.log).not.toContain('Received SIGHUP')
})
