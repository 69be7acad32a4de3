import { rescue } from '../contract/rows'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource } from 'typeorm'
import { configureTasks, remoteTask, runUntilEmpty, startWorker, task } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { backends } from '#backend-registry'
import { dashed, hexOf } from '#formats'
import { DJANGO_TABLE } from '../support/django-ddl'
import { databases, describeEachDatabase, hasHexIds } from '../support/databases'
import {
  djangoRow,
  djangosTable,
  djangoWorker,
  type DjangoInsert,
  insertAsDjango,
  rawRow,
} from '../support/django-table'
import { add, catchLog, echo, fail, keywords, nothing } from '../support/tasks'

/** As Python prints an instant: six digits, or none when they are zero. */
const INSTANT = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.(?!000000)\d{6})?$/

describeEachDatabase((database) => {
  const { name } = database
  // jsonb and MySQL's json are written back with spaces of their own.
  const keepsJsonText = name === 'sqlite' || name === 'mariadb'

  describe.each([{ ordering: true }, { ordering: false }])(
    'a table that Django made (its index for claims: $ordering)',
    ({ ordering }) => {
      let dataSource: DataSource
      const raw = (id: string) => rawRow(dataSource, name, id)
      const insert = (...rows: object[]) => insertAsDjango(dataSource, name, ...rows)
      const row = (differently: Partial<DjangoInsert> = {}) => djangoRow(name, differently)

      beforeAll(async () => {
        catchLog()
        dataSource = await djangosTable(database, { ordering })
        configureTasks({
          default: {
            BACKEND: DatabaseBackend,
            QUEUES: ['default', 'mail'],
            OPTIONS: { dataSource },
          },
        })
      })
      afterEach(() => dataSource.query(`DELETE FROM ${DJANGO_TABLE}`))

      it('has rows of Django run, and finished as Django finishes them', async () => {
        const written = row({
          args_kwargs: '{"args": ["na\\u00efve \\ud83d\\ude00"], "kwargs": {}}',
        })
        await insert(written)

        await runUntilEmpty({ workerId: 'w-1' })

        const found = await raw(written.id)
        expect(found).toMatchObject({
          id: written.id,
          status: 'SUCCESSFUL',
          priority: 0,
          task_path: 'spec.echo',
          queue_name: 'default',
          backend_name: 'default',
          exception_class_path: '',
          traceback: '',
          worker_ids: '["w-1"]',
          return_value: '"naïve 😀"',
          enqueued_at: '2026-11-20 00:00:01.880191',
          run_after: name === 'sqlite' ? '9999-01-01 00:00:00' : '9999-01-01 00:00:00.000000',
        })
        if (keepsJsonText) expect(found['args_kwargs']).toBe(written.args_kwargs)
        for (const column of ['started_at', 'finished_at'])
          expect(found[column]).toMatch(name === 'sqlite' ? INSTANT : /\.\d{6}$/)
      })

      it('is written to by enqueue in the format of Django, to the letter', async () => {
        const { id } = await remoteTask<[number, object]>('myapp.tasks.add')
          .using({ queueName: 'mail', priority: 5 })
          .enqueue(1, { ä: '😀' })

        const { enqueued_at, args_kwargs, ...found } = await raw(formOf(id))
        expect(found).toEqual({
          id: formOf(id),
          status: 'READY',
          priority: 5,
          task_path: 'myapp.tasks.add',
          queue_name: 'mail',
          backend_name: 'default',
          exception_class_path: '',
          traceback: '',
          worker_ids: '[]',
          return_value: null,
          started_at: null,
          finished_at: null,
          run_after: name === 'sqlite' ? '9999-01-01 00:00:00' : '9999-01-01 00:00:00.000000',
        })
        expect(args_kwargs).toBe(
          keepsJsonText
            ? '{"args": [1,{"ä":"😀"}], "kwargs": {}}'
            : '{"args": [1, {"ä": "😀"}], "kwargs": {}}',
        )
        expect(enqueued_at).toMatch(name === 'sqlite' ? INSTANT : /\.\d{6}$/)
      })

      it('has delays written as Django writes them', async () => {
        const whole = await add.using({ runAfter: new Date('2030-01-02T03:04:05Z') }).enqueue(1)
        const half = await add.using({ runAfter: new Date('2030-01-02T03:04:05.5Z') }).enqueue(1)

        expect((await raw(formOf(whole.id)))['run_after']).toBe(
          name === 'sqlite' ? '2030-01-02 03:04:05' : '2030-01-02 03:04:05.000000',
        )
        expect((await raw(formOf(half.id)))['run_after']).toBe('2030-01-02 03:04:05.500000')
      })

      it('has failures and empty results written as Django writes them', async () => {
        const failed = await fail.enqueue('no such thing')
        const empty = await nothing.enqueue()

        await runUntilEmpty({ workerId: 'w-1' })

        expect(await raw(formOf(failed.id))).toMatchObject({
          status: 'FAILED',
          return_value: null,
          exception_class_path: 'RangeError',
          traceback: expect.stringMatching(/^RangeError: no such thing\n[^]*\n$/),
          worker_ids: '["w-1"]',
        })
        expect(await raw(formOf(empty.id))).toMatchObject({
          status: 'SUCCESSFUL',
          return_value: null,
          exception_class_path: '',
          traceback: '',
        })
      })

      it('has a task run again that Django put back, as a further attempt', async () => {
        const again = row({
          worker_ids: '["django"]',
          exception_class_path: 'builtins.ValueError',
          traceback: 'left over\n',
        })
        await insert(again)

        await runUntilEmpty({ workerId: 'w-2' })

        const { worker_ids, ...found } = await raw(again.id)
        expect(JSON.parse(String(worker_ids))).toEqual(['django', 'w-2'])
        expect(found).toMatchObject({
          status: 'SUCCESSFUL',
          exception_class_path: '',
          traceback: '',
        })
      })

      it('has a task put back by hand with its history, its unique key and its progress', async () => {
        const failed = await fail
          .using({ uniqueKey: 'once', retry: { maxAttempts: 2, delay: 0 } })
          .enqueue('no')
        await runUntilEmpty()
        expect((await failed.refresh()).attempts).toBe(2)
        await dataSource.query(
          `UPDATE ${DJANGO_TABLE} SET progress = '{"done": 1, "total": 2, "note": null}'`,
        )

        expect((await failed.refresh()).dbResult).toMatchObject({
          attemptErrors: [{ exceptionClassPath: 'RangeError' }],
          options: { uniqueKey: 'once', retry: { maxAttempts: 2, delay: 0 } },
          progress: { done: 1, total: 2 },
        })
        await backends.get('default').retry(failed.id)

        expect((await failed.refresh()).dbResult).toMatchObject({
          status: 'READY',
          uniqueKey: 'f:once',
          attemptErrors: [
            { exceptionClassPath: 'RangeError' },
            { exceptionClassPath: 'RangeError', retried: true },
          ],
        })
      })

      it('may hold rows that are not quite right: each is run, FAILED or left alone, and the sound one is run', async () => {
        const cases = notQuiteRight(name).map(([wrong, becomes]) => ({
          row: row({ priority: 1, ...wrong }),
          becomes,
        }))
        const sound = row({ priority: -1 })
        await insert(...cases.map((each) => each.row), sound)

        const { started } = await runUntilEmpty({ workerId: 'w-1', queues: '*' })

        const found: unknown[] = []
        for (const each of cases)
          found.push([each.row, outcomeOf(await raw(each.row.id), each.row)])
        expect(found).toEqual(cases.map((each) => [each.row, each.becomes]))
        expect((await raw(sound.id))['status']).toBe('SUCCESSFUL')
        expect(started).toBe(cases.filter((each) => each.becomes !== 'left alone').length + 1)
      })

      it('may hold results that are not quite right, and they are read', async () => {
        const bare = { ...row({ status: 'SUCCESSFUL' }), return_value: 'null' }
        const begun = row({ status: 'RUNNING' })
        await insert(bare, begun)

        expect(await nothingWith(bare.id)).toMatchObject({
          status: 'SUCCESSFUL',
          returnValue: null,
          finishedAt: null,
          startedAt: null,
        })
        expect(await nothingWith(begun.id)).toMatchObject({
          status: 'RUNNING',
          startedAt: null,
          attempts: 0,
        })
      })

      it('keeps what Django runs for Django: no lease, so nobody takes it over', async () => {
        const running = {
          ...row({ status: 'RUNNING', worker_ids: '["django"]' }),
          started_at: '2026-01-01 00:00:00',
        }
        await insert(running)
        const before = await raw(running.id)
        const store = await new DatabaseBackend('default', {
          queues: [],
          options: { dataSource },
        }).openStore({})

        const rescued = await rescue(store)
        const { answers, claimed } = await store.exchange(
          [{ key: running.id, claims: 0, status: 'SUCCESSFUL', returnValue: '1' }],
          10,
          { workerId: 'w', queues: null, excludeQueues: [] },
        )
        const released = await store.release([{ key: running.id, claims: 0 }])
        const renewed = await store.renew([{ key: running.id, claims: 0 }])
        await store.close()

        expect({ rescued, answers, claimed, released }).toEqual({
          rescued: { released: [], failed: [] },
          answers: ['refused'],
          claimed: [],
          released: 0,
        })
        expect(renewed.lost).toHaveLength(1)
        expect(await raw(running.id)).toEqual(before)
      })

      it('shares its rows between a worker of Django and ours, each row run once', async () => {
        ran.splice(0)
        const theirs: string[] = []
        const django = await new DataSource(dataSource.options).initialize()
        const worker = await startWorker({ workerId: 'ours', interval: 2, concurrency: 5 })
        // On MariaDB without the index one claim of Django locks every row that is ready.
        const isShared = () =>
          theirs.length > 0 && (ran.length > 0 || (!ordering && name === 'mariadb'))

        // One of them may be done before the other has begun: then they get more.
        let rounds = 0
        do {
          await insert(...Array.from({ length: 400 }, () => row({ task_path: 'spec.counted' })))
          theirs.push(...(await djangoWorker(django, name)))
          while (await isLeft(dataSource)) await sleep(5) // what a worker has at hand when it is stopped, it gives back
        } while (++rounds < 20 && !isShared())
        await worker.stop()
        await django.destroy()

        expect(new Set([...ran, ...theirs.map(dashed)]).size).toBe(rounds * 400)
        expect(ran.length + theirs.length).toBe(rounds * 400)
        expect(isShared()).toBe(true)
      }, 60_000)

      const nothingWith = async (id: string) => (await echo.getResult(dashed(id))).toJSON()
      const formOf = (id: string): string => (hasHexIds(name) ? hexOf(id) : id)
    },
  )
})

describe('enqueue refuses what would stop the workers of Django or break its admin:', () => {
  const [database] = databases().toSorted(
    (one, other) => Number(one.name !== 'sqlite') - Number(other.name !== 'sqlite'),
  )
  let dataSource: DataSource
  const configure = (alias = 'default', options: object = {}) =>
    configureTasks({
      default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } },
      [alias]: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource, ...options } },
    })

  beforeAll(async () => {
    dataSource = await djangosTable(database!, { ordering: true })
  })
  beforeEach(() => configure())

  it.each<[string, () => unknown, RegExp]>([
    [
      'an alias of more than 32 characters',
      () => configure('a'.repeat(33)),
      /1 to 32 letters.*a{33}/,
    ],
    [
      'a queue of more than 32 characters',
      () => add.using({ queueName: 'q'.repeat(33) }).enqueue(1),
      /1 to 32 letters.*q{33}/,
    ],
    [
      'a path that starts with a dot',
      () => remoteTask('.tasks.add').enqueue(),
      /dotted identifier.*'\.tasks\.add'/,
    ],
    [
      'a path that is no Python path',
      () => remoteTask('src/tasks.js#add').enqueue(),
      /dotted identifier.*'src\/tasks\.js#add'/,
    ],
    [
      'another far day in place of "no delay"',
      () => add.using({ runAfter: new Date('9999-12-31T00:00:00Z') }).enqueue(1),
      /before the year 9999/,
    ],
    [
      'a priority out of range',
      () => add.using({ priority: 101 }).enqueue(1),
      /-100 to 100, got 101/,
    ],
    [
      'an id that is no UUID',
      () => (configure('default', { idFunction: () => 'job-1' }), add.enqueue(1)),
      /give a UUID, got 'job-1'/,
    ],
    ['text with NUL', () => echo.enqueue('\u0000'), /args\[0\]: text with \\u0000/],
  ])('%s', async (_, attempt, told) => {
    await expect((async () => attempt())()).rejects.toThrow(told)

    expect(await dataSource.query(`SELECT id FROM ${DJANGO_TABLE}`)).toEqual([])
  })
})

/** Ids of the rows whose task ran here. */
const ran: string[] = []

task(
  'spec.counted',
  (context) => {
    ran.push(context.taskResult.id)
  },
  { takesContext: true },
)

type Becomes = 'run' | 'left alone' | `typeorm_tasks.${string}`

/** What is wrong with a row, and what becomes of it. */
function notQuiteRight(name: string): [Partial<DjangoInsert>, Becomes][] {
  const cases: [Partial<DjangoInsert>, Becomes][] = [
    [{ args_kwargs: '{"args":[7],"kwargs":{},"more":1}' }, 'run'],
    [{ worker_ids: `["${'w'.repeat(200)}"]` }, 'run'],
    [{ run_after: '2026-01-01 00:00:00' }, 'run'],
    [{ run_after: '9999-12-31 00:00:00' }, 'left alone'],
    [{ run_after: '2100-01-01 00:00:00' }, 'left alone'],
    [{ args_kwargs: '{"args": [7]}' }, 'typeorm_tasks.MalformedRowError'],
    [{ args_kwargs: '[7]' }, 'typeorm_tasks.MalformedRowError'],
    [{ worker_ids: 'null' }, 'typeorm_tasks.MalformedRowError'],
    [{ task_path: keywords.name, args_kwargs: '{"args": [], "kwargs": {"unasked": 1}}' }, 'run'],
    ...[
      'unknown.module.add',
      'add',
      '@acme/mail.send',
      'src/tasks.js#add',
      '',
      '.tasks.add',
      './x.y',
    ].map((task_path): [Partial<DjangoInsert>, Becomes] => [
      { task_path },
      'typeorm_tasks.TaskNotFoundError',
    ]),
    [{ status: 'CANCELLED' }, 'left alone'],
    // Django's table in MySQL's family is blind to case, so Django runs it too.
    [{ status: 'ready' }, name === 'mariadb' || name === 'mysql' ? 'run' : 'left alone'],
    [{ backend_name: 'elsewhere' }, 'left alone'],
    [{ queue_name: 'not-in-queues' }, 'run'],
    [{ status: 'RUNNING' }, 'left alone'],
  ]
  return [
    ...cases,
    ...(name === 'sqlite'
      ? onlyInSqlite()
      : [[{ run_after: '9999-01-01 00:00:00.000' }, 'run'] as [Partial<DjangoInsert>, Becomes]]),
  ]
}

/** SQLite keeps whatever somebody puts in. */
function onlyInSqlite(): [Partial<DjangoInsert>, Becomes][] {
  const today = new Date().toISOString().slice(0, 10)
  return [
    [{ id: '0190b6a0-1111-7abc-8000-000000000001' }, 'run'],
    [{ id: '0190B6A011117ABC8000000000000002' }, 'run'],
    [{ id: 'job-1' }, 'run'],
    ...['9999-01-01 00:00:00.000', '9999-01-01 00:00:00.000000', '9999-01-01T00:00:00Z'].map(
      (run_after): [Partial<DjangoInsert>, Becomes] => [{ run_after }, 'left alone'],
    ),
    [{ run_after: '2026-01-02T03:04:05.678Z' }, 'run'],
    // Compared as text, and a T comes after the blank: due tomorrow, as it is for Django.
    [{ run_after: `${today}T00:00:00Z` }, 'left alone'],
    [{ enqueued_at: '1790000000' }, 'run'],
    [{ enqueued_at: 'garbage' }, 'run'],
    [{ queue_name: 'q'.repeat(33) }, 'run'],
  ]
}

function outcomeOf(found: Record<string, unknown>, before: DjangoInsert): unknown {
  if (found['status'] === before.status && found['started_at'] === null) return 'left alone'
  return found['status'] === 'SUCCESSFUL' ? 'run' : found['exception_class_path']
}

async function isLeft(dataSource: DataSource): Promise<boolean> {
  const rows = (await dataSource.query(
    `SELECT 1 FROM ${DJANGO_TABLE} WHERE status IN ('READY', 'RUNNING') LIMIT 1`,
  )) as unknown[]
  return rows.length > 0
}
