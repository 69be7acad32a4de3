import { remoteTask } from 'typeorm-tasks'
import { dashed } from '#formats'
import { DJANGO_TABLE } from '../support/django-ddl'
import { catchLog } from '../support/tasks'
import type { DjangoCall, DjangoResult } from './harness/django'
import { describeBesideDjango } from './harness/shared-table'

/** Enqueueing and a batch of a worker, on a machine that is four times slower than usual. */
const LIMIT_MS = 120_000

const NESTED = {
  'clé 😀': [
    'naïve',
    '漢字',
    '👩‍👩‍👧',
    '"\\\n',
    null,
    true,
    false,
    0,
    -1.5,
    2 ** 53 - 1,
    { deep: [[]] },
  ],
  empty: {},
}
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/

beforeAll(() => catchLog())

describeBesideDjango((shared) => {
  describe('what Django enqueues, our worker runs:', () => {
    const calls = {
      add: { task: 'shared.tasks.add', args: [1, 2] },
      greet: { task: 'shared.tasks.greet', args: ['Zoë'], kwargs: { greeting: 'Olá 😀' } },
      greetDefault: { task: 'shared.tasks.greet', args: ['Zoë'] },
      echo: { task: 'shared.tasks.echo', args: [NESTED] },
      nothing: { task: 'shared.tasks.nothing' },
      fail: { task: 'shared.tasks.fail', args: ['broken 😀'] },
      unknown: { task: 'shared.tasks.not_json' },
      who: { task: 'shared.tasks.who_runs' },
      low: { task: 'shared.tasks.logged', args: ['low'], priority: -5 },
      plain: { task: 'shared.tasks.logged', args: ['plain'] },
      past: { task: 'shared.tasks.logged', args: ['past'], delay_seconds: -60 },
      high: { task: 'shared.tasks.logged', args: ['high'], priority: 100, queue_name: 'mail' },
      future: { task: 'shared.tasks.logged', args: ['future'], delay_seconds: 3600 },
    } satisfies Record<string, DjangoCall>
    const names = Object.keys(calls) as (keyof typeof calls)[]
    let ids: Record<keyof typeof calls, string>
    let refreshed: Record<keyof typeof calls, DjangoResult>

    beforeAll(async () => {
      const { django, run } = shared()
      ids = named(names, await django.enqueue(...Object.values(calls)))
      await run(
        'db_worker',
        '--batch',
        '--queue-name',
        '*',
        '--worker-id',
        'ours-1',
        '--concurrency',
        '1',
      )
      refreshed = named(names, await django.refresh(...names.map((name) => ids[name])))
    }, LIMIT_MS)

    it.each([
      ['add', 3],
      ['greet', 'Olá 😀, Zoë'],
      ['greetDefault', 'hello, Zoë'],
      ['echo', NESTED],
      ['nothing', null],
    ] as const)('refresh() in Django sees the outcome of %s', (name, value) => {
      const result = refreshed[name]
      expect(result).toMatchObject({
        status: 'SUCCESSFUL',
        is_finished: true,
        return_value: value,
        errors: [],
        worker_ids: ['ours-1'],
        attempts: 1,
      })
      for (const instant of [result.enqueued_at, result.started_at, result.finished_at])
        expect(instant).toMatch(INSTANT)
      expect(
        result.enqueued_at <= result.started_at! && result.started_at! <= result.finished_at!,
      ).toBe(true)
      expect(result.last_attempted_at).toBe(result.started_at)
    })

    it('get_result() in Django gives what refresh() gives', async () => {
      expect(named(names, await shared().django.get(...names.map((name) => ids[name])))).toEqual(
        refreshed,
      )
    })

    it('a failure is read in Django, with its class and its traceback; the class cannot be imported there', () => {
      const { status, return_value, is_finished, errors } = refreshed.fail
      expect({ status, return_value, is_finished }).toEqual({
        status: 'FAILED',
        return_value: { raises: 'ValueError: Task failed' },
        is_finished: true,
      })
      expect(errors).toEqual([
        {
          exception_class_path: 'DomainError',
          exception_class: {
            raises: expect.stringMatching(
              /^ImportError: DomainError doesn't look like a module path/,
            ),
          },
          traceback: expect.stringMatching(
            /^DomainError: broken 😀\n[^]*\nCaused by: RangeError: the inner one\n[^]*\n$/,
          ),
        },
      ])
    })

    it('a task that our app does not know is FAILED, and the worker goes on', () => {
      expect(refreshed.unknown).toMatchObject({
        status: 'FAILED',
        errors: [
          {
            exception_class_path: 'typeorm_tasks.TaskNotFoundError',
            exception_class: { raises: expect.stringMatching(/^ImportError|^ModuleNotFoundError/) },
          },
        ],
      })
    })

    it('the context has the id and the number of the attempt', () => {
      expect(refreshed.who.return_value).toEqual({ id: ids.who, attempt: 1, workers: ['ours-1'] })
    })

    it('the order is by priority, then by run_after, undelayed ones last', () => {
      expect(shared().runs()).toEqual(['ours high', 'ours past', 'ours plain', 'ours low'])
      expect(refreshed.high).toMatchObject({
        priority: 100,
        queue_name: 'mail',
        status: 'SUCCESSFUL',
      })
    })

    it('what is delayed stays READY, with its run_after', () => {
      expect(refreshed.future).toMatchObject({
        status: 'READY',
        is_finished: false,
        started_at: null,
        finished_at: null,
        worker_ids: [],
        return_value: { raises: 'ValueError: Task has not finished yet' },
      })
      expect(refreshed.future.run_after).toMatch(INSTANT)
      expect(refreshed.plain.run_after).toBeNull()
    })

    it('our results are those of Django', async () => {
      for (const name of names)
        expect(await ourView(calls[name].task, ids[name])).toEqual(commonView(refreshed[name]))
    })
  })

  describe('what we enqueue, the worker of Django runs:', () => {
    const names = [
      'add',
      'greet',
      'greetDefault',
      'echo',
      'nothing',
      'fail',
      'notJson',
      'later',
      'who',
      'low',
      'plain',
      'past',
      'high',
      'future',
      'unknown',
    ] as const
    let results: Record<(typeof names)[number], Awaited<ReturnType<typeof enqueue>>>
    let before: number

    beforeAll(async () => {
      const logged = remoteTask<[tag: string]>('shared.tasks.logged')
      before = shared().runs().length
      results = named(names, [
        await enqueue('add', 1, 2),
        await remoteTask<[string]>('shared.tasks.greet').enqueueWith({
          args: ['Zoë'],
          kwargs: { greeting: 'Olá 😀' },
        }),
        await enqueue('greet', 'Zoë'),
        await enqueue('echo', NESTED),
        await enqueue('nothing'),
        await enqueue('fail', 'broken 😀'),
        await enqueue('not_json'),
        await enqueue('later', '😀'),
        await enqueue('who_runs'),
        await logged.using({ priority: -5 }).enqueue('low'),
        await logged.enqueue('plain'),
        await logged.using({ runAfter: new Date(Date.now() - 60_000) }).enqueue('past'),
        await logged.using({ priority: 100, queueName: 'mail' }).enqueue('high'),
        await logged.using({ runAfter: new Date(Date.now() + 3_600_000) }).enqueue('future'),
        await remoteTask('node_app.unknown_to_django').enqueue(),
      ])
      await shared().django.runBatch('--queue-name', '*', '--worker-id', 'django-1')
      for (const result of Object.values(results)) await result.refresh()
    }, LIMIT_MS)

    it.each([
      ['add', 3],
      ['greet', 'Olá 😀, Zoë'],
      ['greetDefault', 'hello, Zoë'],
      ['echo', NESTED],
      ['nothing', null],
      ['later', '😀'],
    ] as const)('refresh() of ours sees the outcome of %s', (name, value) => {
      const result = results[name]
      expect(result.toJSON()).toMatchObject({
        status: 'SUCCESSFUL',
        returnValue: value,
        errors: [],
        workerIds: ['django-1'],
        attempts: 1,
      })
      expect(result.returnValue).toEqual(value)
      expect(result.startedAt!.getTime()).toBeGreaterThanOrEqual(result.enqueuedAt!.getTime())
      expect(result.finishedAt!.getTime()).toBeGreaterThanOrEqual(result.startedAt!.getTime())
    })

    it('a result of Django is waited for like one of ours', async () => {
      expect((await results.add.wait({ timeout: 1_000 })).returnValue).toBe(3)
    })

    it('an exception of Python is read with its class and its traceback', () => {
      expect(results.fail).toMatchObject({ status: 'FAILED', isFinished: true })
      expect(() => results.fail.returnValue).toThrow(
        `Task ${results.fail.id} failed: shared.tasks.DomainError: broken 😀`,
      )
      expect(results.fail.errors).toEqual([
        {
          exceptionClassPath: 'shared.tasks.DomainError',
          traceback: expect.stringMatching(
            /^Traceback \(most recent call last\):\n[^]*KeyError: 'the inner one'[^]*\nshared\.tasks\.DomainError: broken 😀\n$/,
          ),
        },
      ])
    })

    it('a return value that is no JSON, and a task that Django does not know, are FAILED', () => {
      expect(results.notJson.errors).toMatchObject([
        {
          exceptionClassPath: 'builtins.TypeError',
          traceback: expect.stringContaining('not JSON serializable'),
        },
      ])
      expect(results.unknown.errors).toMatchObject([
        {
          exceptionClassPath: 'builtins.ModuleNotFoundError',
          traceback: expect.stringContaining('node_app'),
        },
      ])
      expect([results.notJson.status, results.unknown.status]).toEqual(['FAILED', 'FAILED'])
    })

    it('the context of Django has our id', () => {
      expect(results.who.returnValue).toEqual({
        id: results.who.id,
        attempt: 1,
        workers: ['django-1'],
      })
    })

    it('the order is by priority, then by run_after, undelayed ones last; the future one stays READY', () => {
      expect(shared().runs().slice(before)).toEqual([
        'django high',
        'django past',
        'django plain',
        'django low',
      ])
      expect(results.future).toMatchObject({ status: 'READY', attempts: 0, startedAt: null })
      expect(Math.abs(results.future.runAfter!.getTime() - Date.now() - 3_600_000)).toBeLessThan(
        LIMIT_MS,
      )
    })

    it('the results of Django are ours', async () => {
      const known = names.filter((name) => name !== 'unknown')
      const theirs = await shared().django.get(...known.map((name) => results[name].id))
      for (const [i, name] of known.entries())
        expect(commonView(theirs[i]!)).toEqual(
          await ourView(results[name].taskName, results[name].id),
        )
    })

    it('a repository reads the rows', async () => {
      const rows = await shared()
        .dataSource.getRepository<{ id: string; status: string }>('DBTaskResult')
        .findBy({ status: 'SUCCESSFUL' })
      const found = rows.map(({ id }) => dashed(id))
      expect(found).toEqual(expect.arrayContaining([results.add.id, results.echo.id]))
      expect(found).not.toContain(results.fail.id)
    })
  })

  it(
    'neither side has anything left to migrate, and both find the set-up sound',
    async () => {
      const { django, run } = shared()
      expect(await run('makemigrations', '--check')).toContain('No changes detected')
      await run('check')
      await django.manage('migrate', '--check')
      await django.manage('check')
    },
    LIMIT_MS,
  )

  it(
    'pruning on either side deletes finished rows of both',
    async () => {
      const { dataSource, django, run } = shared()
      const count = async (): Promise<number> =>
        Number(
          (
            (await dataSource.query(
              `SELECT COUNT(*) AS n FROM ${DJANGO_TABLE} WHERE finished_at IS NOT NULL`,
            )) as { n: unknown }[]
          )[0]!.n,
        )
      const finished = await count()
      expect(finished).toBeGreaterThan(20)

      expect(
        await run('prune_db_task_results', '--min-age-days', '0', '--queue-name', 'mail'),
      ).toContain('Deleted 2 task result(s)')
      expect(
        await django.manage(
          'prune_db_task_results',
          '--min-age-days',
          '0',
          '--queue-name',
          'default',
        ),
      ).toContain(`Deleted ${finished - 2} task result(s)`)

      expect(await count()).toBe(0)
    },
    LIMIT_MS,
  )
})

function enqueue(name: string, ...args: unknown[]) {
  return remoteTask(`shared.tasks.${name}`).enqueue(...args)
}

function named<Name extends string, Value>(
  names: readonly Name[],
  values: readonly Value[],
): Record<Name, Value> {
  expect(values).toHaveLength(names.length)
  return Object.fromEntries(names.map((name, i) => [name, values[i]])) as Record<Name, Value>
}

/** What both sides know of a result, in Django's words; instants in milliseconds, as a Date has them. */
function commonView(result: DjangoResult): object {
  const millis = (instant: string | null): string | null => instant && `${instant.slice(0, 23)}Z`
  return {
    id: result.id,
    task: result.task,
    status: result.status,
    args: result.args,
    kwargs: result.kwargs,
    priority: result.priority,
    queue_name: result.queue_name,
    backend: result.backend,
    worker_ids: result.worker_ids,
    attempts: result.attempts,
    enqueued_at: millis(result.enqueued_at),
    started_at: millis(result.started_at),
    finished_at: millis(result.finished_at),
    run_after: millis(result.run_after),
    errors: result.errors.map(({ exception_class_path, traceback }) => ({
      exception_class_path,
      traceback,
    })),
  }
}

/** The same, as our library reads it. */
async function ourView(task: string, id: string): Promise<object> {
  const result = await remoteTask(task).getResult(id)
  const millis = (instant: Date | null): string | null => instant && instant.toISOString()
  return {
    id: result.id,
    task: result.taskName,
    status: result.status,
    args: result.args,
    kwargs: result.kwargs,
    priority: result.priority,
    queue_name: result.queueName,
    backend: result.backend,
    worker_ids: result.workerIds,
    attempts: result.attempts,
    enqueued_at: millis(result.enqueuedAt),
    started_at: millis(result.startedAt),
    finished_at: millis(result.finishedAt),
    run_after: millis(result.runAfter),
    errors: result.errors.map(({ exceptionClassPath, traceback }) => ({
      exception_class_path: exceptionClassPath,
      traceback,
    })),
  }
}
