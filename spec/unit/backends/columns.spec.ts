import { COLUMNS } from '#columns'
import { rawOf } from '#row-to-entity'
import { INSERTED_COLUMNS, newRow } from '#new-row'
import { rawNameOf } from '#row'
import { newEntity } from '#row-to-entity'
import { INSERTED, newValues, selectList } from '#sql-text'
import { DBTaskResult } from '#entities'

const KEY = '01890a5d-ac96-774b-bcce-b302099a8057'
const SHARED = {
  priority: -3,
  task_path: 'spec.add',
  queue_name: 'mail',
  backend_name: 'default',
  run_after: '9999-01-01 00:00:00',
  unique_key: 'f:once',
  options: '{"retry":{"maxAttempts":2}}',
}
const CALL = { row_key: KEY, args_kwargs: '{"args":[1,null],"kwargs":{"tone":"warm"}}' }
const ROW = newRow(CALL, SHARED, '2026-05-01 10:00:00.250000')

describe('the table of columns', () => {
  it('gives a new row a value for every column', () => {
    expect(Object.keys(ROW).toSorted()).toEqual(
      COLUMNS.map(({ name }) => rawNameOf(name)).toSorted(),
    )
    expect(ROW).toMatchObject({ status: 'READY', worker_ids: '[]', claims: 0, traceback: '' })
  })

  it('makes an entity of a raw row, and the same raw row of the entity again', () => {
    const entity = Object.assign(new DBTaskResult(), newEntity(ROW))

    expect(entity).toMatchObject({
      id: KEY,
      enqueuedAt: new Date('2026-05-01T10:00:00.250Z'),
      argsKwargs: { args: [1, null], kwargs: { tone: 'warm' } },
      workerIds: [],
      uniqueKey: 'f:once',
      leaseUntil: null,
    })
    const inserted = new Set(INSERTED_COLUMNS.map(({ name }) => name))
    const nulls = COLUMNS.filter(({ name }) => !inserted.has(name)).map(({ name }) => [name, null])
    expect(rawOf(Object.assign(entity, { startedAt: null, finishedAt: null }), false)).toEqual({
      ...ROW,
      ...Object.fromEntries(nulls),
    })
    expect(rawOf(entity, true).row_key).toBe(KEY.replaceAll('-', ''))
  })

  it('reads what is no JSON and no time as null', () => {
    const entity = newEntity({ ...ROW, args_kwargs: '{"args', enqueued_at: 'soon' })

    expect(entity).toMatchObject({ argsKwargs: null, enqueuedAt: null })
  })

  it('has an INSERT name as many columns as it has values, with a parameter for what an order and a call give', () => {
    const values = newValues({ id: 'NEW_ID' }, (json) => `JSON(${json})`).split(', ')

    expect(values).toHaveLength(INSERTED.split(', ').length)
    const byColumn = Object.fromEntries(INSERTED.split(', ').map((name, i) => [name, values[i]]))
    expect(byColumn).toMatchObject({
      id: 'NEW_ID',
      status: "'READY'",
      args_kwargs: 'JSON(:args_kwargs)',
      worker_ids: "JSON('[]')",
      queue_name: ':queue_name',
      claims: '0',
      attempt_errors: 'NULL',
    })
    expect(byColumn).not.toHaveProperty('started_at')
  })

  it('selects every column under the name that raw rows have', () => {
    expect(selectList(({ name }) => `t.${name}`).split(', ')).toEqual(
      COLUMNS.map(({ name }) => `t.${name} AS ${name === 'id' ? 'row_key' : name}`),
    )
  })
})
