import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(__dirname, '../..')

/** Asks for settings that are wrong in a process of its own; gives the error, and how much of class-validator there is. */
function judged(before: string): { message: string; isWhole: boolean } {
  const script = `${before}
    const { configureTasks } = require('./dist/index.js')
    const message = [{ BACKEND: 'x', QUEUES: 7 }, { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { leaseSeconds: 0 } }].map((settings) => {
      try { configureTasks({ default: settings }) } catch (error) { return error.message }
    }).join('|')
    console.log(JSON.stringify({ message, isWhole: require.resolve('class-validator') in require.cache }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    cwd: root,
    encoding: 'utf8',
  })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as { message: string; isWhole: boolean }
}

const MESSAGE =
  'TASKS.default.QUEUES: expected a list of queue names, got 7. Correct the setting.|TASKS.default.OPTIONS.leaseSeconds: expected a whole number of seconds from 1 to 86400, got 0. Correct the setting.'

it('settings are judged by parts of class-validator', () => {
  expect(judged('')).toEqual({ message: MESSAGE, isWhole: false })
})

it('settings are judged alike by a class-validator that keeps its files to itself', () => {
  const closed = `
    const Module = require('node:module')
    const resolve = Module._resolveFilename
    Module._resolveFilename = function (request, ...rest) {
      if (request.startsWith('class-validator/')) throw Object.assign(new Error('not exported'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
      return resolve.call(this, request, ...rest)
    }`

  expect(judged(closed)).toEqual({ message: MESSAGE, isWhole: true })
})
