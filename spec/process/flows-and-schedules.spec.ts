import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyInto, newApp, pathOf, repository } from '../support/linked-app'

jest.setTimeout(120_000)

const EXAMPLE = 'examples/flows-and-schedules'

it('the example of flows and schedules prints what its README says', () => {
  const app = newApp(['better-sqlite3', 'reflect-metadata', 'typeorm'])
  copyInto(app, EXAMPLE, ['package.json', 'ormconfig.js', 'tasks.js', 'main.js'])
  const [, told] =
    /```\n(1\. [^`]+)```/.exec(readFileSync(join(repository, EXAMPLE, 'README.md'), 'utf8')) ?? []

  const { status, stdout } = spawnSync('npm', ['start', '--silent'], {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, PATH: pathOf(app) },
  })

  expect({ status, stdout }).toEqual({ status: 0, stdout: told })
  expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true)

  const { stdout: list } = spawnSync('tasks', ['schedules'], {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, PATH: pathOf(app) },
  })
  expect(list).toContain('site.beats')
})
