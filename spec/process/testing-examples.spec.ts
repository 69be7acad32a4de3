import { spawnSync } from 'node:child_process'
import { copyInto, newApp, pathOf } from '../support/linked-app'
import { Tutorial } from '../support/tutorial'

jest.setTimeout(120_000)

const ENV = { ...process.env, NODE_TEST_CONTEXT: undefined }

it.each([
  ['flows-and-schedules', ['package.json', 'ormconfig.js', 'tasks.js', 'tasks.test.js'], 4],
  ['super-complicated-task', ['package.json', 'ormconfig.js', 'tasks.js', 'tasks.test.js'], 1],
])('the tests of the example %s pass', (example, files, count) => {
  const app = newApp(['better-sqlite3', 'reflect-metadata', 'typeorm'])
  copyInto(app, `examples/${example}`, files)
  const { status, stdout } = spawnSync('npm', ['test', '--silent'], {
    cwd: app,
    encoding: 'utf8',
    env: { ...ENV, PATH: pathOf(app) },
  })
  expect({ status, told: status === 0 ? '' : stdout }).toEqual({ status: 0, told: '' })
  expect(stdout).toMatch(new RegExp(`pass ${count}\\b`))
})

it('the tests of the example with the page pass, and leave nothing in its database', async () => {
  const tutorial = new Tutorial()
  const { status, stdout } = spawnSync('npm', ['test', '--silent'], {
    cwd: tutorial.folder,
    encoding: 'utf8',
    env: { ...ENV, DB: '', PATH: pathOf(tutorial.folder) },
  })
  expect({ status, told: status === 0 ? '' : stdout }).toEqual({ status: 0, told: '' })
  expect(stdout).toMatch(/pass 2\b/)
  expect(tutorial.run('tasks', 'results', '-d', 'dist/data-source.js')).toMatch(/^No task results/)
  await tutorial.stop()
})
