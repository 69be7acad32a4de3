import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, type FlowFailure, group, remoteTask } from 'typeorm-tasks'
import { appOf } from '../support/temp-app'
import { describeEachDatabase } from '../support/databases'
import { typeormEnv } from '../support/typeorm'
import { Random } from './kit/random'
import { seed, setting } from './kit/setting'

const root = join(__dirname, '../..')
const FLOWS = setting('FLOWS', 60)
/** Flows of each round of workers that die at a boundary of a statement. */
const ROUND = setting('ROUND', 35)
const MEMBERS = 3
const KILLS = setting('KILLS', 6)
const WORKERS = 4
const PATIENCE_MS = 120_000

const part = remoteTask<[flow: number, index: number], string>('flows.part')
const join_ = remoteTask<[flow: number, parts: readonly string[]], string>('flows.join')
const last = remoteTask<[joined: string], string>('flows.last')
const boom = remoteTask<[], string>('flows.boom')
const told = remoteTask<[failure: FlowFailure], string>('flows.told')

/** Each before and after its statement: outcomes stored; what is looked at, made due, FAILED and deleted; what fills a follower. */
const BOUNDARIES = [
  'exchange',
  'first',
  'unpark',
  'fail',
  'drop',
  'options',
  'waiting',
  'members',
].flatMap((verb) => [`${verb} before`, `${verb} after`])

describeEachDatabase((database) => {
  async function open(): Promise<{ dataSource: DataSource; app: string }> {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource },
      },
    })
    return { dataSource, app: flowsApp(dataSource.options) }
  }

  it(
    `F74 ${FLOWS} flows under ${KILLS} kills of ${WORKERS} workers: what follows runs, once made due, with all values in order`,
    async () => {
      const { dataSource, app } = await open()
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
      // A killed worker may not have said what it made due; that more were made due than wait is impossible.
      expect(dueRows(app)).toBeLessThanOrEqual(FLOWS * 2)
      expect(linesOf(app, 'runs').length).toBeGreaterThanOrEqual(FLOWS * (MEMBERS + 2))
    },
    PATIENCE_MS * 2,
  )

  it(
    `F74 ${WORKERS} workers die at each of ${BOUNDARIES.length} boundaries of statements: what waits is made due once, and all flows end`,
    async () => {
      const { dataSource, app } = await open()
      const rows = dataSource.getRepository(DBTaskResult)
      let flows = 0
      const deaths: unknown[] = []
      for (let i = 0; i < BOUNDARIES.length; i += WORKERS) {
        const points = BOUNDARIES.slice(i, i + WORKERS)
        for (let each = 0; each < ROUND; each++) await enqueueMixed(flows++)
        const workers = points.map((point, n) => start(app, `p${i + n}`, { DIE_AT: point }))
        deaths.push(...(await Promise.all(workers.map(diesWithin))))
      }
      const workers = Array.from({ length: WORKERS }, (_, i) => start(app, `end${i}`))
      const until = Date.now() + PATIENCE_MS
      while ((await openRows(dataSource)) > 0 && Date.now() < until) await sleep(100)
      for (const worker of workers) worker.kill('SIGTERM')

      expect(deaths).toEqual(BOUNDARIES.map(() => 'SIGKILL'))
      const failures = await rows.findBy({ status: 'FAILED' })
      expect(
        failures.flatMap(({ taskPath, exceptionClassPath, traceback }) =>
          exceptionClassPath === 'RangeError' || traceback.includes('(flows.boom)')
            ? []
            : [`${taskPath}: ${traceback}`],
        ),
      ).toEqual([])
      const failing = Math.floor(flows / 4)
      const well = flows - failing
      const count = async (taskPath: string, status: 'SUCCESSFUL' | 'FAILED') =>
        rows.countBy({ taskPath, status })
      expect({
        open: await openRows(dataSource),
        parts: await count('flows.part', 'SUCCESSFUL'),
        joined: await count('flows.join', 'SUCCESSFUL'),
        unjoined: await count('flows.join', 'FAILED'),
        unended: await count('flows.last', 'FAILED'),
        told: await count('flows.told', 'SUCCESSFUL'),
        all: await rows.count(),
        due: dueRows(app),
      }).toEqual({
        open: 0,
        parts: flows * MEMBERS,
        joined: well,
        unjoined: failing,
        unended: failing,
        told: failing,
        all: well * (MEMBERS + 2) + failing * (MEMBERS + 4),
        due: well * 2 + failing,
      })
      const ends = await rows.findBy({ taskPath: 'flows.last', status: 'SUCCESSFUL' })
      expect(ends.map(({ returnValue }) => String(returnValue)).toSorted()).toEqual(
        Array.from({ length: flows }, (_, flow) => flow)
          .filter((flow) => flow % 4 !== 3)
          .map((flow) => `${flow}: ${flow}.0 ${flow}.1 ${flow}.2`)
          .toSorted(),
      )
    },
    PATIENCE_MS * 3,
  )
})

/** Of four flows one fails. */
async function enqueueMixed(flow: number): Promise<void> {
  const parts = Array.from({ length: MEMBERS }, (_, index) => part.order(flow, index))
  await group(flow % 4 === 3 ? [...parts, boom.order()] : parts)
    .next((values) => join_.order(flow, values))
    .next((joined) => last.order(joined))
    .onFailure((failure) => told.order(failure))
    .enqueue()
}

async function openRows(dataSource: DataSource): Promise<number> {
  const rows = dataSource.getRepository(DBTaskResult)
  return (await rows.countBy({ status: 'READY' })) + (await rows.countBy({ status: 'RUNNING' }))
}

/** The signal that has ended the worker; one that does not die in time is killed, and gives null. */
async function diesWithin(worker: ChildProcess): Promise<unknown> {
  const late = new AbortController()
  const ended = once(worker, 'exit').then(([, signal]: unknown[]) => signal)
  const timedOut = sleep(30_000, null, { signal: late.signal }).catch(() => null)
  const signal = await Promise.race([ended, timedOut])
  late.abort()
  if (signal === null) worker.kill('SIGKILL')
  return signal
}

function linesOf(app: string, file: string): string[] {
  return readFileSync(join(app, file), 'utf8').split('\n').filter(Boolean)
}

function dueRows(app: string): number {
  return linesOf(app, 'due').reduce((sum, line) => sum + Number(line), 0)
}

function start(app: string, id: string, env: Record<string, string> = {}): ChildProcess {
  return spawn(
    process.execPath,
    [
      '--require',
      join(__dirname, 'kit/flow-crash.cjs'),
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
    { cwd: app, env: { ...typeormEnv(), ...env, DUE_LOG: join(app, 'due') }, stdio: 'ignore' },
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
      task('flows.last', (joined) => run('last', joined))
      task('flows.boom', () => { throw new RangeError('boom') })
      task('flows.told', ({ taskName }) => run('told', taskName))`,
    },
    { 'typeorm-tasks': '..' },
  )
  const { entities: _, ...connection } = options as { entities: unknown }
  writeFileSync(join(app, 'database.json'), JSON.stringify(connection))
  for (const file of ['runs', 'due']) writeFileSync(join(app, file), '')
  return app
}
