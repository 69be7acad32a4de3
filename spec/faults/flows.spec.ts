import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { configureTasks, DBTaskResult, group, remoteTask } from 'typeorm-tasks'
import { appOf } from '../support/temp-app'
import { describeEachDatabase } from '../support/databases'
import { typeormEnv } from '../support/typeorm'
import { Random } from './kit/random'
import { seed, setting } from './kit/setting'

const root = join(__dirname, '../..')
const FLOWS = setting('FLOWS', 60)
const MEMBERS = 3
const KILLS = setting('KILLS', 6)
const WORKERS = 4
const PATIENCE_MS = 120_000

const part = remoteTask<[flow: number, index: number], string>('flows.part')
const join_ = remoteTask<[flow: number, parts: readonly string[]], string>('flows.join')
const last = remoteTask<[joined: string], string>('flows.last')

describeEachDatabase((database) => {
  it(
    `F74 ${FLOWS} flows under ${KILLS} kills of ${WORKERS} workers: what follows runs, once made due, with all values in order`,
    async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configureTasks({
        default: {
          BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
          OPTIONS: { dataSource },
        },
      })
      const app = flowsApp(dataSource.options)
      for (let flow = 0; flow < FLOWS; flow++)
        await group(Array.from({ length: MEMBERS }, (_, index) => part.order(flow, index)))
          .next((parts) => join_.order(flow, parts))
          .next((joined) => last.order(joined))
          .enqueue()

      const rows = dataSource.getRepository(DBTaskResult)
      const random = new Random(seed)
      const workers = Array.from({ length: WORKERS }, (_, i) => start(app, `w${i}`))
      const until = Date.now() + PATIENCE_MS
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(random.whole(100, 700))
        const at = random.whole(0, WORKERS - 1)
        workers[at]?.kill('SIGKILL')
        workers[at] = start(app, `w${at}-${kill}`)
      }
      while ((await rows.countBy({ status: 'SUCCESSFUL' })) < FLOWS * (MEMBERS + 2)) {
        if (Date.now() > until) break
        await sleep(100)
      }
      for (const worker of workers) worker.kill('SIGTERM')

      expect(await rows.countBy({ status: 'SUCCESSFUL' })).toBe(FLOWS * (MEMBERS + 2))
      const ends = await rows.findBy({ taskPath: 'flows.last' })
      expect(ends.map(({ returnValue }) => String(returnValue)).toSorted()).toEqual(
        Array.from(
          { length: FLOWS },
          (_, flow) => `${flow}: ${flow}.0 ${flow}.1 ${flow}.2`,
        ).toSorted(),
      )
      // A row that two have made due would have been claimed once more, without a lost worker.
      const lines = readFileSync(join(app, 'runs'), 'utf8').trimEnd().split('\n')
      expect(lines.length).toBeGreaterThanOrEqual(FLOWS * (MEMBERS + 2))
      expect(lines.length).toBeLessThanOrEqual(FLOWS * (MEMBERS + 2) + KILLS * 20)
    },
    PATIENCE_MS * 2,
  )
})

function start(app: string, id: string): ChildProcess {
  return spawn(
    process.execPath,
    [
      join(root, 'dist/cli/index.js'),
      'db_worker',
      '--worker-id',
      id,
      '--interval',
      '0.1',
      '--no-startup-delay',
      '--concurrency',
      '3',
    ],
    { cwd: app, env: typeormEnv(), stdio: 'ignore' },
  )
}

function flowsApp(options: object): string {
  const app = appOf(
    {
      'package.json': '{ "name": "flows" }',
      'ormconfig.js': `
      const { DataSource } = require('typeorm')
      const { DBTaskResult } = require('typeorm-tasks')
      exports.dataSource = new DataSource({ ...require('./database.json'), entities: [DBTaskResult], synchronize: false })
      exports.TASKS = { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource: exports.dataSource, leaseSeconds: 2, maxCrashes: 100 } } }`,
      'tasks.js': `
      const { appendFileSync } = require('node:fs')
      const { setTimeout: sleep } = require('node:timers/promises')
      const { task } = require('typeorm-tasks')
      const run = async (name, result) => {
        appendFileSync(__dirname + '/runs', name + '\\n')
        await sleep(20 * Math.random())
        return result
      }
      task('flows.part', (flow, index) => run('part', flow + '.' + index))
      task('flows.join', (flow, parts) => run('join', flow + ': ' + parts.join(' ')))
      task('flows.last', (joined) => run('last', joined))`,
    },
    { 'typeorm-tasks': '..' },
  )
  const { entities: _, ...connection } = options as { entities: unknown }
  writeFileSync(join(app, 'database.json'), JSON.stringify(connection))
  writeFileSync(join(app, 'runs'), '')
  return app
}
