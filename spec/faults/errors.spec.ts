import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseName } from '../support/servers/wanted'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { LEASE } from './kit/timing'

const preload = join(__dirname, 'kit/failing-statements.cjs')

/** Others were in the way: asked again within milliseconds. */
const CONTENTION: Record<DatabaseName, readonly string[]> = {
  sqlite: ['SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_LOCKED'],
  postgres: ['40001', '40P01', '55P03'],
  mariadb: ['ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_DEADLOCK', 'ER_CHECKREAD'],
  mysql: ['ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_DEADLOCK', 'ER_CHECKREAD'],
}
/** The database, or the way to it, is in trouble. */
const TROUBLE: Record<DatabaseName, readonly string[]> = {
  sqlite: ['SQLITE_FULL', 'SQLITE_IOERR'],
  postgres: ['57014', '57P01', '53300', '25006', '08006', 'ECONNRESET'],
  mariadb: [
    'ER_CON_COUNT_ERROR',
    'ER_OPTION_PREVENTS_STATEMENT',
    'ECONNRESET',
    'PROTOCOL_CONNECTION_LOST',
  ],
  mysql: [
    'ER_CON_COUNT_ERROR',
    'ER_OPTION_PREVENTS_STATEMENT',
    'ECONNRESET',
    'PROTOCOL_CONNECTION_LOST',
  ],
}

/** What waiting does not hint. */
const REFUSAL: Record<DatabaseName, string> = {
  sqlite: 'SQLITE_READONLY',
  postgres: '42501',
  mariadb: 'ER_TABLEACCESS_DENIED_ERROR',
  mysql: 'ER_TABLEACCESS_DENIED_ERROR',
}

interface Fault {
  readonly verb: string
  /** Absent: it goes well. */
  readonly code?: string
  readonly times: number
  readonly after?: boolean
}

scenarios((add, { name }) => {
  add(
    'F37 errors of the database that pass leave every task as if they had not been',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 80 }, (_, i) => [i % 10 === 0 ? 400 : 20]),
      )
      const [long] = await field.enqueue('sleep', [[8 * LEASE]], { priority: 9 })
      const [left] = await leftBehind(field)
      const faults = [
        ...['claim', 'finish'].flatMap((verb) => [
          ...twice(verb, CONTENTION[name]),
          ...twice(verb, TROUBLE[name]),
        ]),
        ...twice('renew', CONTENTION[name]),
        ...once('renew', TROUBLE[name].slice(0, 3)),
        ...once('finish', TROUBLE[name].slice(0, 2), true),
        ...twice('expired', CONTENTION[name]),
        ...inARow('takeOver', [...CONTENTION[name], ...TROUBLE[name]]),
      ]
      const worker = await failing(field, faults)

      await field.finished([...ids, long!, left!], 80_000)

      const expected = faults
        .filter(({ code }) => code !== undefined)
        .reduce((sum, { times }) => sum + times, 0)
      expect(worker.log.match(/^FAULT/gm)).toHaveLength(expected)
      expect(
        (await field.rows()).filter(
          ({ id, status, workerIds }) =>
            id !== left && (status !== 'SUCCESSFUL' || workerIds.length !== 1),
        ),
      ).toEqual([])
      expect((await field.row(left!)).status).toBe('SUCCESSFUL')
      return { tampered: [left!] }
    },
    // Errors take a good part of a short lease, which a busy machine needs, too.
    { settings: { leaseSeconds: (2 * LEASE) / 1_000 } },
  )

  add(
    'F5, F29, F31, F37 a statement that finishes and claims may fail, or its reply be lost, and every task ends, recorded once',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 600 }, () => [20]),
      )
      const faults = [
        ...twice('exchange', [...CONTENTION[name], ...TROUBLE[name]]),
        ...once('exchange', TROUBLE[name].slice(0, 2), true),
      ]
      const worker = await failing(field, faults)

      await field.finished(ids, 60_000)

      expect(worker.log.match(/^FAULT exchange/gm)).toHaveLength(
        faults.filter(({ code }) => code !== undefined).reduce((sum, { times }) => sum + times, 0),
      )
      const rows = await field.rows()
      expect(rows.filter(({ status }) => status !== 'SUCCESSFUL')).toEqual([])
      // What was claimed by a statement whose reply was lost runs again when its lease has ended.
      expect(
        rows
          .filter(({ workerIds }) => workerIds.length > 1)
          .every(({ attemptErrors }) =>
            attemptErrors?.every(
              ({ exceptionClassPath }) => exceptionClassPath === 'typeorm_tasks.WorkerLost',
            ),
          ),
      ).toBe(true)
      expect(rows.filter(({ workerIds }) => workerIds.length > 2)).toEqual([])
      return { unstarted: true }
    },
    { on: ['postgres'] },
  )

  add(
    'F37 rows are given back at a stop, though the database is in the way at first',
    async (field) => {
      const [id] = await field.enqueue('listen', [[60_000]])
      const worker = await failing(field, inARow('release', CONTENTION[name]))
      await field.sees('start')

      worker.kill('SIGTERM')
      await worker.ended

      expect(worker.log.match(/^FAULT release/gm)).toHaveLength(3)
      expect(await field.row(id!)).toMatchObject({ status: 'READY', workerIds: [] })
    },
  )

  add(
    'F37 an outcome that can never be stored is tried in moderation, and in the end given back',
    async (field) => {
      const [id] = await field.enqueue('count')
      const worker = await failing(field, [
        { verb: 'finish', code: TROUBLE[name][0]!, times: 1_000_000 },
      ])
      await field.sees('end')

      await sleep(LEASE + 1_000)
      expect(worker.log.match(/^FAULT/gm)!.length).toBeLessThan(15)
      expect(
        worker.log.split('\n').filter((line) => line.includes('injected')).length,
      ).toBeLessThan(15)
      expect((await field.row(id!)).status).toBe('RUNNING')
      await worker.stop()
      await field.worker()
      await field.finished()

      expect((await field.row(id!)).status).toBe('SUCCESSFUL')
    },
  )

  add(
    'F37 an outcome that was stored is not taken for lost because the claim beside it failed',
    async (field) => {
      const [id] = await field.enqueue('count')
      const worker = await failing(field, [
        { verb: 'claim', times: 1 },
        { verb: 'claim', code: TROUBLE[name][0]!, times: 4 },
      ])

      await worker.says(`Task id=${id} path=fault.count state=SUCCESSFUL`)

      expect(worker.log).not.toContain('taken over')
    },
  )

  add(
    'F37 a refusal is not tried again: the worker ends, with what to do about it',
    async (field) => {
      const [id] = await field.enqueue('count')
      const before = performance.now()
      const worker = field.start([], {
        preload,
        env: { FAULTS: JSON.stringify([{ verb: 'claim', code: REFUSAL[name], times: 1_000_000 }]) },
      })

      expect(await worker.ended).toEqual({ code: 1, signal: null })

      expect(performance.now() - before).toBeLessThan(5_000)
      expect(worker.log.match(/^FAULT/gm)).toHaveLength(1)
      expect(worker.log).toContain(
        name === 'sqlite'
          ? 'Open the file without `readonly`'
          : 'Give the role of the DataSource SELECT, INSERT, UPDATE and DELETE on it.',
      )
      expect((await field.row(id!)).status).toBe('READY')
    },
  )

  add(
    'F37 a table that is gone ends the worker at once, with what to do about it',
    async (field) => {
      const worker = await field.worker()
      await sleep(500)
      await field.dataSource.query('ALTER TABLE db_task_result RENAME TO elsewhere')
      const before = performance.now()
      try {
        const ended = await Promise.race([worker.ended, sleep(8_000)])

        expect(ended).toEqual({ code: 1, signal: null })
        expect(performance.now() - before).toBeLessThan(5_000)
        expect(worker.log).toContain("does not exist. Apply the app's migrations")
      } finally {
        await field.dataSource.query('ALTER TABLE elsewhere RENAME TO db_task_result')
      }
    },
  )
})

function failing(field: Field, faults: readonly Fault[]) {
  return field.worker(['--shutdown-timeout', '0.2'], {
    preload,
    env: { FAULTS: JSON.stringify(faults) },
  })
}

function twice(verb: string, codes: readonly string[]): Fault[] {
  return codes.flatMap((code) => [
    { verb, code, times: 2 },
    { verb, times: 1 },
  ])
}

function once(verb: string, codes: readonly string[], after = false): Fault[] {
  return codes.flatMap((code) => [
    { verb, code, times: 1, after },
    { verb, times: 1 },
  ])
}

function inARow(verb: string, codes: readonly string[]): Fault[] {
  return codes.map((code) => ({ verb, code, times: 1 }))
}

/** A row whose worker has been gone for long. */
async function leftBehind(field: Field): Promise<string[]> {
  const ids = await field.enqueue('count')
  for (const id of ids)
    await field.tamper(id, {
      status: 'RUNNING',
      claims: 1,
      workerIds: ['gone'],
      startedAt: new Date('2026-01-01'),
      leaseUntil: new Date('2026-01-01'),
    })
  return ids
}
