import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  remoteTask,
  runUntilEmpty,
  task,
  TaskFailedError,
} from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { dashed } from '#formats'
import type { ClaimedRow } from '#lib/store'
import { claim, claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { DJANGO_TABLE } from '../support/django-ddl'
import {
  djangoRow,
  djangosTable,
  type DjangoInsert,
  insertAsDjango,
  rawRow,
} from '../support/django-table'
import type { DatabaseName } from '../support/servers/wanted'
import { catchLog, echo, type Line } from '../support/tasks'

const sum = task('foreign.sum', (a: unknown, b: unknown = 10) => `${String(a)} ${String(b)}`)
const named = task('foreign.named', ({ a, b }: { a: number; b: number }) => a + b)

const EXACT = [
  '9007199254740991',
  '-9007199254740991',
  '9007199254740994',
  '1e21',
  '0.1',
  '1.5e300',
]
const ROUNDED = ['9007199254740993', '-9007199254740993', '12345678901234567890']

describeEachDatabase((database) => {
  const { name } = database
  const backend = (place = dataSource): DatabaseBackend =>
    new DatabaseBackend('default', { queues: [], options: { dataSource: place } })
  let dataSource: DataSource
  let own: DataSource
  let lines: Line[]

  beforeAll(async () => {
    dataSource = await djangosTable(database, { ordering: true })
    own = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } },
      own: { BACKEND: DatabaseBackend, OPTIONS: { dataSource: own } },
    })
  })
  beforeEach(() => {
    lines = catchLog()
  })
  afterEach(() => dataSource.query(`DELETE FROM ${DJANGO_TABLE}`))

  /** Writes a row as Django does, and gives its id. */
  async function written(differently: Partial<DjangoInsert>): Promise<string> {
    const row = djangoRow(name, differently)
    await insertAsDjango(dataSource, name, row)
    return row.id
  }

  const argument = (json: string): string => `{"args": [${json}], "kwargs": {}}`

  it('F56 numbers that JavaScript would round are refused, those that it holds arrive', async () => {
    // MySQL's json takes no more than a double.
    const huge = name === 'mysql' ? [] : [`1${'0'.repeat(400)}`]
    const texts = [...EXACT, ...ROUNDED, ...huge]
    const ids: string[] = []
    for (const text of texts) ids.push(await written({ args_kwargs: argument(text) }))
    const [inText] = [await written({ args_kwargs: argument('"id 12345678901234567890"') })]
    const inside = await written({
      args_kwargs: '{"args": [], "kwargs": {"deep": [{"n": 9007199254740993}]}}',
    })

    await runUntilEmpty()

    const results = await Promise.all(ids.map((id) => echo.getResult(dashed(id))))
    expect(results.map(({ status }) => status)).toEqual([
      ...EXACT.map(() => 'SUCCESSFUL'),
      ...[...ROUNDED, ...huge].map(() => 'FAILED'),
    ])
    expect(results.slice(0, EXACT.length).map(({ returnValue }) => returnValue)).toEqual(
      EXACT.map(Number),
    )
    const refused = results[EXACT.length]!
    expect(refused.errors[0]).toMatchObject({
      exceptionClassPath: 'typeorm_tasks.MalformedRowError',
      traceback: expect.stringContaining(
        'args_kwargs has the number 9007199254740993, which JavaScript cannot hold: pass it as text',
      ) as string,
    })
    expect((await echo.getResult(dashed(inText))).status).toBe('SUCCESSFUL')
    expect((await echo.getResult(dashed(inside))).status).toBe('FAILED')
  })

  it('F56 numbers beyond 2^53 that we wrote arrive as they are', async () => {
    const own = [2 ** 53 + 2, 2 ** 60, 2 ** 70, -(2 ** 64), 1e21, 1.7976931348623157e308]
    const result = await echo.enqueue(own)

    await runUntilEmpty()

    expect((await result.refresh()).status).toBe('SUCCESSFUL')
    expect(result.returnValue).toEqual(own)
  })

  it('keyword arguments for positional parameters are warned of', async () => {
    const kwargs = '{"args": [], "kwargs": {"a": 1, "b": 2}}'
    const id = await written({ task_path: sum.name, args_kwargs: kwargs })
    const fine = await written({ task_path: named.name, args_kwargs: kwargs })

    await runUntilEmpty()

    expect((await named.getResult(dashed(fine))).returnValue).toBe(3)
    expect((await sum.getResult(dashed(id))).returnValue).toBe('[object Object] 10')
    expect(lines.filter(([level]) => level === 'warn')).toEqual([
      [
        'warn',
        `Task id=${dashed(id)} path=foreign.sum was enqueued with keyword arguments (a, b), and its function has a, b as positional parameters: it gets one object in their place. Enqueue it with positional arguments`,
      ],
    ])
  })

  it('an error of Python is told by its own line', async () => {
    const traceback = [
      'Traceback (most recent call last):',
      '  File "tasks.py", line 3, in fail',
      "ValueError: it didn't work",
      '',
    ].join('\n')
    const group = [
      '  + Exception Group Traceback (most recent call last):',
      '  |   File "tasks.py", line 3, in fail',
      '  | ExceptionGroup: two at once (2 sub-exceptions)',
      '  +-+---------------- 1 ----------------',
      '    | ValueError: one',
      '    +------------------------------------',
      '',
    ].join('\n')
    const failed = { status: 'FAILED', exception_class_path: 'builtins.ValueError' }
    const one = await written({ ...failed, traceback })
    const many = await written({ ...failed, traceback: group })

    for (const [id, told] of [
      [one, "ValueError: it didn't work"],
      [many, 'ExceptionGroup: two at once (2 sub-exceptions)'],
    ] as const) {
      const result = await echo.getResult(dashed(id))
      expect(() => result.returnValue).toThrow(TaskFailedError)
      expect(() => result.returnValue).toThrow(`Task ${dashed(id)} failed: ${told}`)
    }
  })

  const sqlite = name === 'sqlite' ? it : it.skip

  sqlite(
    'a task starts no earlier than Django enqueued it, and ends no earlier than it started',
    async () => {
      const store = await backend().openStore({})
      const times: (bigint | undefined)[][] = []
      for (let i = 0; i < 50; i++) {
        const { id } = djangoRow(name)
        // The last microsecond of the present millisecond, which is all that SQLite tells of its time.
        await dataSource.query(
          `INSERT INTO ${DJANGO_TABLE} (id, status, args_kwargs, priority, task_path, queue_name, backend_name, run_after, enqueued_at, exception_class_path, traceback, worker_ids)
          VALUES ('${id}', 'READY', '{"args": [], "kwargs": {}}', 0, 'spec.echo', 'default', 'default', '9999-01-01 00:00:00', strftime('%Y-%m-%d %H:%M:%f999', 'now'), '', '', '[]')`,
        )
        const { claimed } = await claim(store, 1)
        const [{ key, claims }] = claimed as [ClaimedRow]
        const done = { key, claims, status: 'SUCCESSFUL', returnValue: null } as const
        await store.exchange([done], 0, claimFilter())
        const { enqueued_at, started_at, finished_at } = await rawRow(dataSource, name, id)
        times.push([enqueued_at, started_at, finished_at].map((at) => microseconds(String(at))))
      }
      await store.close()

      expect(times.filter(([a, b, c]) => !(a! <= b! && b! <= c!))).toEqual([])
    },
  )

  it('a key that a worker of Django left does not keep later enqueues from being written', async () => {
    const once = remoteTask('foreign.once').using({ uniqueKey: 'nightly' })
    const first = await once.enqueue()
    await dataSource.query(
      `UPDATE ${DJANGO_TABLE} SET status = 'SUCCESSFUL', finished_at = enqueued_at, worker_ids = '["django"]'`,
    )

    const second = await once.enqueue()
    const third = await once.enqueue()

    expect(second.id).not.toBe(first.id)
    expect(third.id).toBe(second.id)
  })

  it.each(['a table of Django', 'a table of ours'])(
    'dbResult and list give what can be read of a row that somebody wrote badly, in %s',
    async (which) => {
      const isOurs = which === 'a table of ours'
      const place = isOurs ? own : dataSource
      const table = isOurs ? 'db_task_result' : DJANGO_TABLE
      const browsed = backend(place)
      for (const [column, value] of badly(name, isOurs)) {
        const id = isOurs
          ? (await echo.using({ backend: 'own' }).enqueue(1)).id
          : dashed(await written({}))
        await place.query(`UPDATE ${table} SET ${column} = '${value}'`)
        const about = `${column} = ${value}`
        const [one, listed] = [
          await browsed.getResult(id),
          (await browsed.list({ limit: 1, everyBackend: true }))[0]!,
        ]
        for (const result of [one, listed]) {
          expect([about, result.dbResult]).toEqual([about, expect.objectContaining({ id })])
          expect(() => JSON.stringify(result)).not.toThrow()
        }
        await place.query(`DELETE FROM ${table}`)
      }
    },
  )
})

/** Columns and what somebody wrote into them. */
function badly(name: DatabaseName, keepsAnyJson: boolean): [string, string][] {
  const isPostgres = name === 'postgres'
  const values = ['null', '5', '"text"', '[]', '{}', '{"args": 1, "kwargs": [1]}', '[null, 5]']
  const noJson = isPostgres ? [] : ['{bad', '']
  const each = (columns: string[], texts: string[]): [string, string][] =>
    columns.flatMap((column) => texts.map((text): [string, string] => [column, text]))
  return [
    ...each(
      ['args_kwargs', 'worker_ids', 'return_value'],
      [...values, ...(keepsAnyJson ? noJson : [])],
    ),
    ...each(['attempt_errors', 'progress', 'options'], [...values, ...noJson]),
    ...each(
      ['run_after', 'enqueued_at', 'started_at'],
      name === 'sqlite' ? ['', 'soon', '5'] : isPostgres ? ['infinity', '-infinity'] : [],
    ),
    ...each(['claims'], name === 'sqlite' ? ['', 'many'] : ['-1']),
    ...each(['status', 'unique_key', 'queue_name'], ['', 'ODD']),
  ]
}

function microseconds(text: string): bigint {
  const [, day, fraction = ''] = /^([^.]+)(?:\.(\d+))?$/.exec(text)!
  return BigInt(Date.parse(`${day}Z`)) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
}
