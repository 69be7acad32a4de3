import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { configureTasks, DBTaskResult, remoteTask } from 'typeorm-tasks'
import { appOf } from '../support/temp-app'
import { describeEachDatabase } from '../support/databases'
import { typeormEnv } from '../support/typeorm'

const root = join(__dirname, '../..')
const workers = ['w1', 'w2', 'w3', 'w4']
const tasks = 2_000

describeEachDatabase((database) => {
  it('four worker processes run 2,000 tasks once each, all have a share, and nothing is amiss', async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource },
      },
    })
    const app = drainApp(dataSource.options)
    await remoteTask<[number]>('drain.note').enqueueMany(
      Array.from({ length: tasks }, (_, i): [number] => [i]),
    )

    const ended = await Promise.all(workers.map(async (worker) => await work(app, worker)))

    expect(ended.map(({ code, strange }) => ({ code, strange }))).toEqual(
      workers.map(() => ({ code: 0, strange: [] })),
    )
    const runs = readFileSync(join(app, 'runs'), 'utf8').trimEnd().split('\n')
    expect(runs.map(Number).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: tasks }, (_, i) => i),
    )

    const rows = await dataSource.getRepository(DBTaskResult).find()
    const alike = new Set(
      // Without claims: what waits for a second in a busy worker is given back, and claimed once more.
      rows.map(({ status, workerIds, leaseUntil, attemptErrors }) =>
        JSON.stringify([status, workerIds.length, leaseUntil, attemptErrors]),
      ),
    )
    expect([...alike]).toEqual([JSON.stringify(['SUCCESSFUL', 1, null, null])])
    expect(
      rows.filter(({ argsKwargs, returnValue }) => argsKwargs.args[0] !== returnValue),
    ).toEqual([])
    expect([...new Set(rows.map(({ workerIds }) => workerIds[0]))].toSorted()).toEqual(workers)
    expect(ended.map(({ done }) => done)).toEqual(
      workers.map((worker) => rows.filter(({ workerIds }) => workerIds[0] === worker).length),
    )
  }, 180_000)
})

/** An app whose one task notes in a file that it ran, the first time when all workers are at work. */
function drainApp(options: object): string {
  const app = appOf(
    {
      'package.json': '{ "name": "drain" }',
      'ormconfig.js': `
      const { DataSource } = require('typeorm')
      const { DBTaskResult } = require('typeorm-tasks')
      exports.dataSource = new DataSource({ ...require('./database.json'), entities: [DBTaskResult], synchronize: false })
      exports.TASKS = { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource: exports.dataSource } } }`,
      'tasks.js': `
      const { appendFile, readdir, writeFile } = require('node:fs/promises')
      const { task } = require('typeorm-tasks')
      async function gathering() {
        await writeFile(__dirname + '/here/' + process.pid, '')
        for (let tries = 0; tries < 6000; tries++) {
          if ((await readdir(__dirname + '/here')).length >= ${workers.length}) return
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        throw new Error('not all workers came')
      }
      let gathered
      exports.note = task('drain.note', async (number) => {
        await (gathered ??= gathering())
        await appendFile(__dirname + '/runs', number + '\\n')
        return number
      })`,
    },
    { 'typeorm-tasks': '..' },
  )
  const { entities: _, ...connection } = options as { entities: unknown }
  writeFileSync(join(app, 'database.json'), JSON.stringify(connection))
  mkdirSync(join(app, 'here'))
  return app
}

interface Ended {
  readonly code: number | null
  /** SUCCESSFUL tasks by its log. */
  readonly done: number
  /** What it said beyond the course of things. */
  readonly strange: string[]
}

async function work(app: string, worker: string): Promise<Ended> {
  const args = [
    join(root, 'dist/cli/index.js'),
    'db_worker',
    '--batch',
    '--no-startup-delay',
    '--worker-id',
    worker,
    '-v',
    '1',
  ]
  const child = spawn(process.execPath, args, {
    cwd: app,
    env: typeormEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve))
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  const lines = (out + err).split('\n').filter((line) => line !== '')
  return {
    code,
    done: lines.filter((line) => line.endsWith('state=SUCCESSFUL')).length,
    strange: lines.filter((line) => !ORDINARY.test(line)),
  }
}

const ORDINARY =
  /^(Starting worker worker_id=w\d queues=default|Task id=[0-9a-f-]{36} path=drain\.note state=(RUNNING|SUCCESSFUL)|No more tasks to run for worker_id=w\d\. Exiting gracefully\.|Left are task\(s\) in its queues: \d+ given back or enqueued meanwhile\.)$/
