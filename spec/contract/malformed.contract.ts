import { claim, idsOf, type RawColumns, rescue } from './rows'
import type { ContractPlace } from './store.contract'

const emptied = { args: [], kwargs: {} }

/** Rows that others wrote badly: each is taken once, so that it can end FAILED, or left alone; none stops a worker. */
export function malformedContract({ rows, open, abilities }: ContractPlace): void {
  const badCalls: [string, string, string][] = [
    ['a list', '[]', 'args_kwargs is no JSON object'],
    ['JSON null', 'null', 'args_kwargs is no JSON object'],
    ['a text', '"args"', 'args_kwargs is no JSON object'],
    ['an object without args', '{"kwargs": {}}', 'args_kwargs has no list "args"'],
    [
      'an object whose args is no list',
      '{"args": {"0": 1}, "kwargs": {}}',
      'args_kwargs has no list "args"',
    ],
    ['an object without kwargs', '{"args": []}', 'args_kwargs has no object "kwargs"'],
    [
      'an object whose kwargs is a list',
      '{"args": [], "kwargs": []}',
      'args_kwargs has no object "kwargs"',
    ],
  ]
  it.each(badCalls)('takes a row whose args_kwargs is %s, and says so', async (_, text, told) => {
    const row = await tampered({ args_kwargs: text })

    expect(row).toMatchObject({
      malformed: told,
      claims: 1,
      values: { status: 'RUNNING', workerIds: ['w-1'] },
    })
  })

  const itKeepsAnyText = abilities.keepsAnyText ? it : it.skip
  itKeepsAnyText.each(['{bad', '', 'undefined'])(
    'takes a row whose args_kwargs is no JSON: %p',
    async (text) => {
      expect(await tampered({ args_kwargs: text })).toMatchObject({
        malformed: 'args_kwargs is no JSON object',
        values: emptied,
      })
    },
  )

  it.each(['null', '{"0": "w"}', '[1, null]'])(
    'takes a row whose worker_ids is %s, and says so',
    async (text) => {
      const row = await tampered({ worker_ids: text })

      expect(row).toMatchObject({ malformed: 'worker_ids is not a list of texts', claims: 1 })
      expect(row?.values.workerIds.at(-1)).toBe('w-1')
    },
  )

  it.each(['{"a": 1}', '"x"', '[1]'])(
    'takes a row whose attempt_errors is %s, and says so',
    async (text) => {
      expect(await tampered({ attempt_errors: text })).toMatchObject({
        malformed: 'attempt_errors is not a list of errors',
        claims: 1,
        values: { errors: [] },
      })
    },
  )

  it('takes a row whose worker_ids is one text for a list of it', async () => {
    expect(await tampered({ worker_ids: '"w-0"' })).toMatchObject({
      malformed: null,
      values: { workerIds: ['w-0', 'w-1'] },
    })
  })

  itKeepsAnyText.each(['', 'w-0', '[1'])(
    'takes a row whose worker_ids is no JSON: %p',
    async (text) => {
      expect((await tampered({ worker_ids: text }))?.values.workerIds.at(-1)).toBe('w-1')
    },
  )

  it('ends a malformed row as cancelled that somebody cancelled before its worker was lost', async () => {
    const [id] = await rows().add({})
    const store = await open()
    await claim(store, 1)
    await rows().tamper(id!, { attempt_errors: '{"a": 1}' })
    await rows().update(id!, { cancelRequestedAt: new Date() })
    await rows().expire(id!)

    expect(await rescue(store)).toEqual({ released: [], failed: [id] })
    expect(await rows().get(id!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.TaskCancelled',
    })
  })

  it('ends such rows like any other', async () => {
    const row = await tampered({ worker_ids: 'null', args_kwargs: '[]' })
    const store = await open()
    const error = { exceptionClassPath: 'typeorm_tasks.MalformedRowError', traceback: 'x\n' }

    expect(
      (
        await store.exchange([{ key: row!.key, claims: row!.claims, status: 'FAILED', error }], 1, {
          workerId: 'w',
          queues: null,
          excludeQueues: [],
        })
      ).answers,
    ).toEqual(['kept'])

    expect(await rows().get(row!.values.id)).toMatchObject({ status: 'FAILED', ...error })
  })

  it('takes a row written with compact JSON, more keys than needed and a long worker id', async () => {
    const row = await tampered({
      args_kwargs: '{"args":[1],"kwargs":{"a":2},"more":3}',
      worker_ids: `["${'w'.repeat(200)}"]`,
    })

    expect(row).toMatchObject({
      malformed: null,
      values: { args: [1], kwargs: { a: 2 }, workerIds: ['w'.repeat(200), 'w-1'] },
    })
  })

  it('takes a row whose task is none: the worker says so', async () => {
    expect(await tampered({ task_path: '' })).toMatchObject({
      malformed: null,
      values: { taskName: '' },
    })
    expect(await tampered({ task_path: './x.y' })).toMatchObject({
      malformed: null,
      values: { taskName: './x.y' },
    })
  })

  it('takes a row whose run_after is now in place of "no delay"', async () => {
    const past = rows().instant(new Date(Date.now() - 1000))

    expect(await tampered({ run_after: past })).toMatchObject({ malformed: null })
  })

  it('leaves a row alone that has another far day in place of "no delay"', async () => {
    const farDay = rows().instant(new Date('9999-12-31T00:00:00Z'))

    expect(await tampered({ run_after: farDay })).toBeUndefined()
  })

  const itKeepsAnyInstant = abilities.keepsAnyInstant ? it : it.skip

  const itTakesOddIds = abilities.takesOddIds ? it : it.skip
  itTakesOddIds(
    'takes a row with an id in capitals or with dashes, or that is none, and can end it',
    async () => {
      const ids = await rows().addMany(3)
      await rows().tamper(ids[0]!, { id: rows().key(ids[0]!).toUpperCase() })
      await rows().tamper(ids[1]!, { id: ids[1]! })
      await rows().tamper(ids[2]!, { id: 'job-1' })
      const store = await open()

      const { claimed } = await claim(store, 9)

      expect(claimed.map(({ values }) => values.id).toSorted()).toEqual(
        [ids[0], ids[1], 'job-1'].toSorted(),
      )
      const outcomes = claimed.map(({ key, claims }) => ({
        key,
        claims,
        status: 'SUCCESSFUL' as const,
        returnValue: null,
      }))
      expect(
        await store.exchange(outcomes, 9, { workerId: 'w', queues: null, excludeQueues: [] }),
      ).toEqual({ answers: ['kept', 'kept', 'kept'], claimed: [] })
    },
  )

  itKeepsAnyInstant.each(['soon', 1790000000, ''])(
    'takes a row whose enqueued_at is %s',
    async (value) => {
      expect(await tampered({ enqueued_at: value })).toMatchObject({
        malformed: null,
        values: { enqueuedAt: null },
      })
    },
  )

  itKeepsAnyInstant(
    'takes a row whose enqueued_at and run_after have a zone of their own',
    async () => {
      expect(
        await tampered({
          enqueued_at: '2026-01-02 03:04:05.678901+05:30',
          run_after: '2026-01-02 03:04:05.678',
        }),
      ).toMatchObject({
        malformed: null,
        values: { enqueuedAt: new Date('2026-01-01T21:34:05.678Z') },
      })
    },
  )

  itKeepsAnyInstant.each([
    '9999-01-01 00:00:00.000',
    '9999-01-01T00:00:00Z',
    '9999-01-01 00:00:00.000000',
  ])('leaves a row alone whose "no delay" is not Django\'s text: %s', async (text) => {
    expect(await tampered({ run_after: text })).toBeUndefined()
  })

  const itKeepsAnyPriority = abilities.keepsAnyPriority ? it : it.skip
  itKeepsAnyPriority('takes a row whose priority is out of range, and says so', async () => {
    expect(await tampered({ priority: 999 })).toMatchObject({
      malformed: 'priority 999 is not a whole number from -100 to 100',
    })
  })

  it('takes the sound rows beside a malformed one', async () => {
    const [bad, sound] = await rows().add({ priority: 1 }, {})
    await rows().tamper(bad!, { worker_ids: 'null' })

    expect(idsOf(await claim(await open(), 9))).toEqual([bad, sound])
  })

  async function tampered(columns: RawColumns) {
    const [id] = await rows().add({})
    await rows().tamper(id!, columns)
    return (await claim(await open(), 9)).claimed[0]
  }
}
