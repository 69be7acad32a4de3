import { newApp } from '../support/linked-app'
import { runNode, writeFiles } from '../support/packed'

jest.setTimeout(180_000)

const APP = `const { configureTasks, DBTaskResult, task } = require('typeorm-tasks')
const { DataSource } = require('typeorm')
exports.dataSource = new DataSource({
  type: 'better-sqlite3', database: ':memory:', entities: [DBTaskResult], synchronize: true,
})
configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    QUEUES: ['default', 'mail'],
    OPTIONS: { dataSource: exports.dataSource },
  },
})
exports.sent = []
exports.welcome = task('mail.welcome', async (id, tone = 'warm') => {
  if (id < 0) throw new RangeError('no such user')
  exports.sent.push([id, tone])
  return { id }
}, { queueName: 'mail' })
exports.signUp = async (id) => { await exports.welcome.enqueue(id, 'warm') }
`

/** The same tests for each runner; `expect` is there where the runner has one. */
const TESTS = `
describe('sign up', () => {
  let tasks
  beforeEach(() => { tasks = testTasks(); sent.length = 0 })
  afterEach(() => tasks.restore())

  it('enqueues a welcome, which is then sent', async () => {
    await signUp(42)
    const result = tasks.expectEnqueued(welcome, [42, anything], { queueName: 'mail' })
    tasks.expectNotEnqueued(welcome, [7])
    assert.deepEqual(sent, [])
    await tasks.run()
    assert.deepEqual(sent, [[42, 'warm']])
    assert.deepEqual((await result.refresh()).returnValue, { id: 42 })
  })

  it('understands matchers', async () => {
    await signUp(42)
    tasks.expectEnqueued(welcome, [matching((id) => id > 40), any])
  })

  it('runs inline', async () => {
    const inline = testTasks({ mode: 'inline' })
    await signUp(1)
    assert.deepEqual(sent, [[1, 'warm']])
    await inline.restore()
  })

  it('performs', async () => {
    assert.deepEqual((await perform(welcome, [5], { attempt: 2 })).returnValue, { id: 5 })
  })

  it('drains in a transaction that is rolled back', async () => {
    await dataSource.initialize()
    const rows = testTasks({ mode: 'database' })
    await dataSource.transaction(async (manager) => {
      await welcome.using({ manager }).enqueue(9)
      await rows.drain({ manager })
      throw new Error('rolled back')
    }).catch((error) => assert.equal(error.message, 'rolled back'))
    assert.deepEqual(sent, [[9, 'warm']])
    await rows.expectNotEnqueued(welcome)
    await rows.restore()
    await dataSource.destroy()
  })
})
`

const FAILING = `
describe('what fails', () => {
  let tasks
  beforeEach(() => { tasks = testTasks() })
  afterEach(() => tasks.restore())

  it('an expectation', async () => {
    await signUp(1)
    tasks.expectEnqueued(welcome, [42, anything])
  })

  it('a task', async () => {
    await signUp(-1)
    await tasks.run()
  })
})
`

const KIT = '{ anything, matching, perform, testTasks }'
const COMMONJS = `const assert = require('node:assert/strict')
const ${KIT} = require('typeorm-tasks/testing')
const { dataSource, sent, signUp, welcome } = require('./app.js')
`
const ESM = `import assert from 'node:assert/strict'
import ${KIT} from 'typeorm-tasks/testing'
import app from './app.js'
const { dataSource, sent, signUp, welcome } = app
`

interface Runner {
  readonly name: string
  readonly head: string
  /** How the files end. */
  readonly ending: string
  readonly args: (file: string) => string[]
}

const RUNNERS: readonly Runner[] = [
  {
    name: 'jest',
    head: `${COMMONJS}const any = expect.any(String)`,
    ending: 'test.js',
    args: (file) => ['node_modules/jest/bin/jest.js', '--rootDir', '.', file],
  },
  {
    name: 'vitest',
    head: `${ESM}import { afterEach, beforeEach, describe, expect, it } from 'vitest'
const any = expect.any(String)`,
    ending: 'test.mjs',
    args: (file) => ['node_modules/vitest/vitest.mjs', 'run', '--root', '.', file],
  },
  {
    name: 'node:test',
    head: `${ESM}import { afterEach, beforeEach, describe, it } from 'node:test'
const any = anything`,
    ending: 'test.mjs',
    args: (file) => ['--test', '--test-reporter=spec', file],
  },
  {
    name: 'mocha',
    head: `${COMMONJS}const any = anything`,
    ending: 'test.cjs',
    args: (file) => ['node_modules/mocha/bin/mocha.js', file],
  },
]

describe.each(RUNNERS)('$name', ({ name, head, ending, args }) => {
  const packages = ['better-sqlite3', 'reflect-metadata', 'typeorm']
  const app = newApp(name === 'node:test' ? packages : [...packages, name])
  writeFiles(app, {
    'package.json': { private: true },
    'app.js': APP,
    [`kit.${ending}`]: head + TESTS,
    [`failing.${ending}`]: head + FAILING,
  })

  it('passes what the kit promises', () => {
    const { status, stdout, stderr } = runNode(app, args(`kit.${ending}`), ENV)
    expect({ status, told: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, told: '' })
    expect(stdout + stderr).toMatch(/\b5 pass(ed|ing)|pass 5/)
  })

  it('shows where an expectation fails, and what a task threw', () => {
    const { status, stdout, stderr } = runNode(app, args(`failing.${ending}`), ENV)
    const told = stdout + stderr
    expect(status).not.toBe(0)
    expect(told).toContain('Task "mail.welcome" was not enqueued as expected:')
    expect(told).toContain('mail.welcome(42, anything)')
    expect(told).toContain('args[0]: expected 42, got 1')
    expect(told).toMatch(/Task "mail\.welcome" \([-0-9a-f]+\) failed: RangeError: no such user/)
    // The line of the task that threw, by the cause.
    expect(told).toMatch(/app\.js:\d+/)
  })
})

const ENV = {
  NO_COLOR: '1',
  FORCE_COLOR: '0',
  NODE_TEST_CONTEXT: undefined,
  JEST_WORKER_ID: undefined,
}

it('the kit loads no test runner, and the core loads nothing of the kit', () => {
  const app = newApp(['reflect-metadata', 'typeorm'])
  const look = (door: string): string[] => {
    const { stdout } = runNode(app, [
      '-e',
      `require('${door}'); console.log(JSON.stringify(Object.keys(require.cache)))`,
    ])
    return JSON.parse(stdout) as string[]
  }
  const runners = /\/node_modules\/(jest|@jest|vitest|@vitest|mocha|chai)\//
  expect(look('typeorm-tasks/testing').filter((file) => runners.test(file))).toEqual([])
  expect(look('typeorm-tasks').filter((file) => /dist\/testing\//.test(file))).toEqual([])
})
